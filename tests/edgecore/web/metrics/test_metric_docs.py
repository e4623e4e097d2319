"""What is written about the metrics names what is served, and nothing else."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from checkout import PROJECT
from every import every
from prometheus_client.parser import text_string_to_metric_families
from sample_status import STATUS

from edgecore.web.metrics.registry import Metrics

DOCS = PROJECT / "docs"


@pytest.fixture(scope="module")
def served() -> dict[str, str]:
    """Every family's name as it is documented, with its type."""
    metrics = Metrics(lambda: STATUS)
    metrics.observe("cam1", {"ok": 1}, {"inference": [1.0], "total": [1000.0]})
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        f.name + "_total" * (f.type == "counter"): f.type
        for f in families
        if f.name.startswith("fanfold_")
    }


def test_the_reference_lists_every_family_with_its_type(served: dict[str, str]) -> None:
    text = (DOCS / "spec" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(fanfold_\w+)` \| (\w+) \|", text, re.M)

    assert dict(rows) == served


def test_the_reference_gives_each_family_the_meaning_that_is_served() -> None:
    text = (DOCS / "spec" / "metrics.md").read_text()
    documented = dict(re.findall(r"^\| `(fanfold_\w+)` \|.*\| ([^|]+) \|$", text, re.M))
    metrics = Metrics(lambda: STATUS)
    metrics.observe("cam1", {"ok": 1}, {"inference": [1.0], "total": [1000.0]})
    families = text_string_to_metric_families(metrics.render().decode())

    assert documented == {
        f.name + "_total" * (f.type == "counter"): f.documentation
        for f in families
        if f.name.startswith("fanfold_")
    }


def test_the_grafana_dashboard_asks_only_for_what_is_served(served: dict[str, str]) -> None:
    text = (DOCS / "grafana" / "fanfold.json").read_text()
    asked = set(re.findall(r"fanfold_\w+", text))
    known = set(served)
    for name, kind in served.items():
        if kind == "histogram":
            known |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}

    assert asked <= known
    assert len(asked) > 15


def test_the_grafana_dashboard_takes_the_rate_of_counters_only(served: dict[str, str]) -> None:
    text = (DOCS / "grafana" / "fanfold.json").read_text()
    rated = set(re.findall(r"(?:rate|increase)\((fanfold_\w+)", text))

    assert every(name.endswith(("_total", "_bucket", "_sum", "_count")) for name in rated)


def test_the_grafana_panels_do_not_overlap() -> None:
    panels = json.loads((DOCS / "grafana" / "fanfold.json").read_text())["panels"]
    cells = [
        (x, y)
        for place in (p["gridPos"] for p in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert every(x < 24 for x, _ in cells)


def test_the_alert_rules_ask_for_what_is_served_and_take_rates_of_counters(
    served: dict[str, str],
) -> None:
    (group,) = yaml.safe_load((DOCS / "prometheus" / "fanfold-alerts.yml").read_text())["groups"]
    exprs = [r["expr"] for r in group["rules"]]
    asked = {name for e in exprs for name in re.findall(r"fanfold_\w+", e)}
    rated = {name for e in exprs for name in re.findall(r"(?:rate|increase)\((fanfold_\w+)", e)}

    assert asked <= set(served)
    assert every(served[name] == "counter" for name in rated)
    assert every(e.count("(") == e.count(")") for e in exprs)
    assert every(r["alert"] and r["annotations"]["summary"] for r in group["rules"])
