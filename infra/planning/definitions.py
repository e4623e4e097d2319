"""Kinds of Greengrass definitions, and what of a group document is the content of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of definition and where its content stands in the document."""

    name: str
    content: str
    key: str
    optional: tuple[str, ...] = ()

    def version_properties(self, document: Mapping[str, Any]) -> dict[str, Any]:
        content = document.get(self.key) or []
        entries = [content] if isinstance(content, Mapping) else list(content)
        properties = {self.content: [_without_names(entry) for entry in entries]}
        properties.update({name: document[name] for name in self.optional if document.get(name)})
        return properties


KINDS = (
    Kind("Core", "Cores", "Core"),
    Kind("Device", "Devices", "Devices"),
    Kind("Function", "Functions", "Functions", optional=("DefaultConfig",)),
    Kind("Resource", "Resources", "Resources"),
    Kind("Subscription", "Subscriptions", "Subscriptions"),
    Kind("Logger", "Loggers", "Loggers"),
)


def _without_names(entry: Mapping[str, Any]) -> dict[str, Any]:
    """`ThingName` is the document's own convenience; the API knows only the ARN."""
    return {key: value for key, value in entry.items() if key != "ThingName"}
