"""Templates that are JSON, as the CDK's are, are read as JSON; others by the parser in C.

moto gives every template to PyYAML's own reader, several times for each stack: that was most of
what a deployment computed here, and half of what `cdk bootstrap` did, whose template is YAML.
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
            return yaml.load(text, Loader=_in_c(Loader))  # noqa: S506 (moto's choice, not ours)


def _in_c(loader: Any) -> Any:
    """With that loader's tags; the same loader where PyYAML was built without its C library."""
    if loader is not yaml.Loader or not yaml.__with_libyaml__:
        return loader
    tags = {"yaml_multi_constructors": loader.yaml_multi_constructors}
    return type("CLoader", (yaml.CLoader,), tags)


def install() -> None:
    from moto.cloudformation import models, responses

    for module in (models, responses):
        module.yaml = JsonFirst()
