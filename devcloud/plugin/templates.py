"""Templates that are JSON, as the CDK's are, are read as JSON.

moto gives every template to PyYAML's own reader, several times for each stack: that was most of
what a deployment computed here.
"""

from __future__ import annotations

import json
from typing import Any

import yaml


class JsonFirst:
    """The `yaml` of moto's modules."""

    def __getattr__(self, name: str) -> Any:
        return getattr(yaml, name)

    def load(self, text: Any, Loader: Any) -> Any:  # noqa: N803 (PyYAML's own word)
        try:
            return json.loads(text)
        except (TypeError, ValueError):
            return yaml.load(text, Loader=Loader)  # noqa: S506 (moto's choice, not ours)


def install() -> None:
    from moto.cloudformation import models, responses

    for module in (models, responses):
        module.yaml = JsonFirst()
