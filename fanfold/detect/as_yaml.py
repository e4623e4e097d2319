"""A detected profile as the text of a file in device_profiles/."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML


def as_yaml(profile: dict[str, Any]) -> str:
    yaml, text = YAML(typ="rt"), io.StringIO()
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.dump(profile, text)
    return text.getvalue()
