"""Site files, units and pieces of them that guides show: valid, and plan without an error."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import PROJECT
from guide_blocks import Walk, blocks

from fanfold.reference.commands import commands
from infra.planning import Plan, check, errors, load_site, plan_group

PROFILES = PROJECT / "device_profiles"


def planned(folder: Path, name: str, site: dict[str, Any]) -> Plan:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(site))
    plan = plan_group(*load_site(folder / f"{name}.yaml", PROFILES))
    assert errors(check(plan)) == []
    return plan


def demo_with(block: str) -> dict[str, Any]:
    site: dict[str, Any] = yaml.safe_load((PROJECT / "sites/demo.yaml").read_text())
    return {**site, **yaml.safe_load(block)}


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
    (block,) = blocks(guide, "yaml")
    plan = planned(tmp_path, "demo", demo_with(block))
    carried = [f for f in plan.functions if variable in f.environment]

    assert [f.role for f in carried] == ["aggregator"]
    assert [str(f) for f in check(plan) if f.subject.startswith("alert ")] == [
        str(f) for f in check(plan) if f.code == "FF211"
    ]


def test_a_site_on_aws_today(tmp_path: Path) -> None:
    with Walk("aws-today.md") as guide:
        site = yaml.safe_load(guide.next("yaml"))
    site["profile"] = "cpu-gateway-4core"

    assert planned(tmp_path, "edge-1", site).site.target == "iot"


def test_a_site_as_components(tmp_path: Path) -> None:
    with Walk("greengrass-v2.md") as guide:
        site = yaml.safe_load(guide.next("yaml"))

    assert planned(tmp_path, "edge-2", {**site, "profile": "jetson-agx-xavier"})


def test_a_region_with_a_mask(tmp_path: Path) -> None:
    with Walk("regions.md") as guide:
        plan = planned(tmp_path, "demo", demo_with(guide.next("yaml")))

    assert any("region" in text for f in plan.functions for text in f.environment.values())


def test_the_unit_starts_a_core_with_options_that_there_are() -> None:
    with Walk("systemd.md") as guide:
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.read_string(guide.next("ini"))
    program, verb, *words = shlex.split(unit["Service"]["ExecStart"])
    known = {o for p in dict(commands())[verb].params for o in p.opts}

    assert program.endswith("/fanfold")
    assert {word for word in words if word.startswith("--")} <= known


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
