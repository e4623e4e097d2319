"""The site files' parts that the guides of history and alerts show are valid, and plan."""

from __future__ import annotations

import re
from pathlib import Path

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
