"""The site files' parts that the guides of history and alerts show are valid, and plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import PROJECT

from infra.planning import check, load_site, plan_group


@pytest.mark.parametrize(
    ("guide", "variable"),
    [
        ("history.md", "FANFOLD_HISTORY"),
        ("alerting.md", "FANFOLD_ALERTS"),
        ("canary.md", "FANFOLD_CANARY"),
        ("retention.md", "FANFOLD_HISTORY"),
        ("samples.md", "FANFOLD_HISTORY"),
    ],
)
def test_the_example_is_a_site_without_a_warning_of_its_own(
    guide: str, variable: str, tmp_path: Path
) -> None:
    (block,) = re.findall(
        r"```yaml\n(.*?)```", (PROJECT / "docs/guides" / guide).read_text(), re.DOTALL
    )
    site = {**yaml.safe_load((PROJECT / "sites/demo.yaml").read_text()), **yaml.safe_load(block)}
    (tmp_path / "demo.yaml").write_text(yaml.safe_dump(site))
    plan = plan_group(*load_site(tmp_path / "demo.yaml", PROJECT / "device_profiles"))
    carried = [f for f in plan.functions if variable in f.environment]

    assert [f.role for f in carried] == ["aggregator"]
    assert [str(f) for f in check(plan) if f.subject.startswith("alert ")] == [
        str(f) for f in check(plan) if f.code == "FF211"
    ]


def test_every_key_that_the_retention_guide_names_is_a_key_of_a_site() -> None:
    text = (PROJECT / "docs/guides/retention.md").read_text()
    schema = json.loads((PROJECT / "schemas/site.schema.json").read_text())
    keys = set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", text))

    assert len(keys) >= 10
    for key in keys:
        here: Any = schema
        for part in key.split("."):
            here = _properties(schema, here)[part]


def _properties(schema: Any, part: Any) -> Any:
    """Of an object, of what it refers to, or of the one alternative that has some."""
    if "$ref" in part:
        return _properties(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
    if "properties" in part:
        return part["properties"]
    (found,) = [each for each in part.get("anyOf", part.get("allOf")) if "$ref" in each]
    return _properties(schema, found)
