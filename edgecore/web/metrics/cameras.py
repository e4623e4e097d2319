"""Families of the cameras that the device fetches pictures from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from edgecore.core.stats import mapping, numbers
from edgecore.web.metrics.samples import MAX_LABEL_VALUES, Row, counter, gauge, labelled

STATES = ("connecting", "live", "frozen", "away")
_COUNTERS = (
    ("read", "camera_read_frames", "Frames that the camera sent."),
    ("accepted", "camera_accepted_frames", "Frames that the splitter accepted."),
    ("dropped", "camera_dropped_frames", "Frames that were due and found no room."),
    ("unanswered", "camera_unanswered_frames", "Frames that nobody answered for."),
    ("stalls", "camera_stalls", "Times that a connected camera fell silent."),
    ("reconnects", "camera_reconnects", "Connections after the first."),
)


def camera_families(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """Of the grabber's last stats; a group without it has samples of none."""
    reported = list(mapping(stats.get("cameras")).items())[:MAX_LABEL_VALUES]
    cameras = [(str(name), mapping(camera)) for name, camera in reported]
    label = ("camera",)

    states: list[Row] = [
        ([name, state], float(camera.get("state") == state))
        for name, camera in cameras
        for state in STATES
    ]
    yield gauge(
        "camera_state",
        "1 for the camera's state, 0 for the others.",
        states,
        ("camera", "state"),
    )
    ages = labelled(cameras, "frame_age_s", 1.0)
    yield gauge("camera_frame_age_seconds", "Age of the newest frame.", ages, label)
    rejected: list[Row] = [
        ([name, reason], count)
        for name, camera in cameras
        for reason, count in numbers(camera.get("rejected")).items()
    ]
    yield counter(
        "camera_rejected_frames",
        "Frames that the splitter refused, by reason.",
        rejected,
        ("camera", "reason"),
    )
    for key, name, text in _COUNTERS:
        yield counter(name, text, labelled(cameras, key, 1.0), label)
