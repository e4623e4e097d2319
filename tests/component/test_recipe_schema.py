"""The rendered recipes against AWS's own schema of a recipe, where its file is given.

It is `gdk/static/recipe_schema.json` of aws-greengrass-gdk-cli (Apache 2.0), which is on no
package index: FANFOLD_RECIPE_SCHEMA=FILE.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from v2_device import V2Device

VARIABLE = "FANFOLD_RECIPE_SCHEMA"
FILE = os.environ.get(VARIABLE, "")

pytestmark = pytest.mark.skipif(not FILE, reason=f"{VARIABLE} names no file of AWS's schema")


def lower(value: Any) -> Any:
    """Keys are case-insensitive, and lower-case in the schema."""
    if isinstance(value, dict):
        return {name.lower(): lower(each) for name, each in value.items()}
    return [lower(each) for each in value] if isinstance(value, list) else value


def test_awss_schema_takes_the_recipes_and_refuses_a_misspelt_one(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(json.loads(Path(FILE).read_text()))
    device = V2Device(tmp_path)

    recipes = [lower(each) for each in device.recipes(device.model("1.0.0"))]

    assert [list(validator.iter_errors(each)) for each in recipes] == [[], [], []]
    wrong = {**recipes[0], "manifest": recipes[0]["manifests"]}
    assert not validator.is_valid(wrong)
