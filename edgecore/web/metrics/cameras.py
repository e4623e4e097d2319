"""Families of the cameras that the device fetches pictures from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.core.stats import mapping, number, numbers

MAX_CAMERAS = 256
STATES = ("connecting", "live", "frozen", "away")
_COUNTERS = (
    ("accepted", "camera_accepted_frames", "Frames that the splitter accepted."),
    ("dropped", "camera_dropped_frames", "Frames that were due and found no room."),
    ("unanswered", "camera_unanswered_frames", "Frames that nobody answered for."),
    ("stalls", "camera_stalls", "Times that a connected camera fell silent."),
    ("reconnects", "camera_reconnects", "Connections after the first."),
)


def camera_families(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """Of the grabber's last stats; a group without it has samples of none."""
    reported = list(mapping(stats.get("cameras")).items())[:MAX_CAMERAS]
    cameras = [(str(name), mapping(camera)) for name, camera in reported]
    state = GaugeMetricFamily(
        "fanfold_camera_state", "1 for the camera's state, 0 for the others.",
        labels=["camera", "state"],
    )  # fmt: skip
    rate = GaugeMetricFamily(
        "fanfold_camera_frame_rate", "Frames a second that the camera sends.", labels=["camera"]
    )
    age = GaugeMetricFamily(
        "fanfold_camera_frame_age_seconds", "Age of the newest frame.", labels=["camera"]
    )
    rejected = CounterMetricFamily(
        "fanfold_camera_rejected_frames", "Frames that the splitter refused, by reason.",
        labels=["camera", "reason"],
    )  # fmt: skip
    for name, camera in cameras:
        for each in STATES:
            state.add_metric([name, each], float(camera.get("state") == each))
        for family, key in ((rate, "fps_in"), (age, "frame_age_s")):
            value = number(camera.get(key))
            if value is not None:
                family.add_metric([name], value)
        for reason, count in numbers(camera.get("rejected")).items():
            rejected.add_metric([name, reason], count)
    yield from (state, rate, age, rejected)
    for key, name, text in _COUNTERS:
        counter = CounterMetricFamily(f"fanfold_{name}", text, labels=["camera"])
        for camera_name, camera in cameras:
            value = number(camera.get(key))
            if value is not None:
                counter.add_metric([camera_name], value)
        yield counter
