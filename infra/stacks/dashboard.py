"""The body of a site's CloudWatch dashboard. Pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMESPACE = "Fanfold"
WIDTH, HEIGHT, PERIOD_S = 12, 6, 300

#: Title → (metric, statistic, label) of each line.
GRAPHS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Images and results": (
        ("AcceptedImages", "Sum", "accepted"),
        ("Results", "Sum", "results"),
    ),
    "Failures": (
        ("FailedRecords", "Sum", "failed"),
        ("DroppedRecords", "Sum", "dropped"),
        ("RejectedMessages", "Sum", "rejected"),
        ("LostBeforeCloud", "Sum", "lost before the cloud"),
    ),
    "Backlog": (("BacklogImages", "Maximum", "images waiting"),),
    "Workers": (
        ("WorkersReady", "Minimum", "ready"),
        ("WorkerRestarts", "Sum", "restarts"),
    ),
}


def dashboard_body(
    site: str, region: str, settings: Mapping[str, Any], alarm_arns: Sequence[str]
) -> dict[str, Any]:
    """Alarms on top, then two graphs a row."""
    widgets: list[dict[str, Any]] = [
        {
            "type": "alarm",
            "x": 0,
            "y": 0,
            "width": 2 * WIDTH,
            "height": 3,
            "properties": {"title": f"Fanfold {site}", "alarms": list(alarm_arns)},
        }
    ]
    for place, (title, lines) in enumerate(GRAPHS.items()):
        widgets.append(
            {
                "type": "metric",
                "x": place % 2 * WIDTH,
                "y": 3 + place // 2 * HEIGHT,
                "width": WIDTH,
                "height": HEIGHT,
                "properties": _graph(site, region, settings, title, lines),
            }
        )
    return {"widgets": widgets}


def _graph(
    site: str,
    region: str,
    settings: Mapping[str, Any],
    title: str,
    lines: Sequence[tuple[str, str, str]],
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": f"{title} (5 minutes)",
        "region": region,
        "view": "timeSeries",
        "stacked": False,
        "period": PERIOD_S,
        "yAxis": {"left": {"min": 0}},
        "metrics": [
            [NAMESPACE, metric, "Site", site, {"stat": statistic, "label": label}]
            for metric, statistic, label in lines
        ],
    }
    if title == "Backlog" and settings["BacklogImages"]:
        limit = {"label": "alarm", "value": settings["BacklogImages"]}
        found["annotations"] = {"horizontal": [limit]}
    return found
