"""The verdict's situations made real: one core, its processes, its disk, its cameras."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client.parser import text_string_to_metric_families
from real_core import RealCore
from small_disks import fill, small_disk_at

from fanfold.device.interpreters import device_python

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]
CLOUD = "s/core/hall/cloud"
HOOKS = '''
import os

def postprocess(outputs):
    """A model that fails every image while the file `fail` is there."""
    if os.path.exists({fail!r}):
        raise ValueError("no such class")
    return {{"top": [{{"label": "part", "index": 0, "score": 0.9}}]}}
'''


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    core.write()
    hooks = HOOKS.format(fail=str(core.folder / "fail"))
    (core.folder / "sites/hall_hooks.py").write_text(hooks)
    with contextlib.ExitStack() as stack:
        stack.enter_context(small_disk_at(core.folder / "images", 32))
        core.folder.joinpath("s/core/hall").mkdir(parents=True)
        core.folder.joinpath(CLOUD).write_text("a file where the sink wants its folder")
        core.start()
        stack.callback(core.stop)
        yield core


def codes(hall: RealCore) -> dict[str, dict[str, Any]]:
    return {reason["code"]: reason for reason in hall.status()["verdict"]["reasons"]}


def becomes(hall: RealCore, state: str, *expected: str) -> dict[str, dict[str, Any]]:
    """Until the verdict is ``state`` and has these reasons, whatever else it has."""

    def there() -> Any:
        verdict = hall.status()["verdict"]
        found = {r["code"]: r for r in verdict["reasons"]}
        return verdict["state"] == state and found.keys() >= set(expected) and found

    hall.eventually(lambda: there() or there() == {}, f"{state} with {expected}")
    return codes(hall)


def inspects(hall: RealCore) -> bool:
    return hall.ask("/ready")[0] == 200


def well(hall: RealCore) -> None:
    """No reason of the group's own is left; a camera's refusal is remembered for ten minutes."""
    hall.eventually(
        lambda: inspects(hall) and not any(r["gate"] for r in codes(hall).values()), "well again"
    )


def pids(hall: RealCore, *names: str) -> list[int]:
    return [hall.function(name)["pid"] for name in names]


def test_a_cloud_that_cannot_be_reached_is_said_and_images_go_on(hall: RealCore) -> None:
    hall.send(job="no-cloud")

    becomes(hall, "degraded", "cloud_unreachable")
    assert inspects(hall)
    (hall.folder / CLOUD).unlink()
    hall.eventually(lambda: "cloud_unreachable" not in codes(hall), "reached again")


def test_while_images_are_inspected_the_verdict_is_ok(hall: RealCore) -> None:
    hall.send()

    becomes(hall, "ok")
    assert inspects(hall)
    hall.eventually(lambda: hall.status()["recent"]["answered"] >= 3, "the images are counted")


def test_endpoint_status_metrics_and_command_line_say_the_same(hall: RealCore) -> None:
    hall.fanfold("drain", "w0", "w1", "--site", "hall")
    becomes(hall, "down", "all_drained")

    ready = json.loads(hall.ask("/ready")[1])
    samples = [
        sample
        for family in text_string_to_metric_families(hall.ask("/metrics")[1].decode())
        if family.name in {"fanfold_verdict", "fanfold_verdict_reasons"}
        for sample in family.samples
        if sample.value
    ]
    shown = hall.fanfold("status", "hall", ok=(1,))
    hall.fanfold("drain", "w0", "w1", "--site", "hall", "--resume")
    assert ready == {**ready, "state": "down", "ready": False}
    assert {v for s in samples for v in s.labels.values()} == {"down", "all_drained"}
    assert shown.splitlines()[1] == "down"
    assert "all workers are drained by the operator" in shown
    well(hall)


def test_one_frozen_worker_degrades_and_two_are_down(hall: RealCore) -> None:
    first, second = pids(hall, "w0", "w1")
    os.kill(first, signal.SIGSTOP)
    becomes(hall, "degraded")
    assert inspects(hall)

    os.kill(second, signal.SIGSTOP)
    becomes(hall, "down")
    assert not inspects(hall)
    for pid in (first, second):
        os.kill(pid, signal.SIGKILL)
    well(hall)


@pytest.mark.parametrize("name", ["splitter", "aggregator"])
def test_without_splitter_or_aggregator_the_site_is_down(hall: RealCore, name: str) -> None:
    [pid] = pids(hall, name)
    os.kill(pid, signal.SIGSTOP)

    becomes(hall, "down", "function_hung")
    os.kill(pid, signal.SIGKILL)
    well(hall)


def test_an_images_volume_that_is_away_is_named(hall: RealCore) -> None:
    images = hall.folder / "images"
    subprocess.run(["umount", "-l", str(images)], check=True)
    # Where nothing waits the splitter may have taken the empty folder for a new volume already.
    images.rename(hall.folder / "images.was")

    becomes(hall, "down", "volume_away")
    images.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(images)], check=True)
    well(hall)


def test_a_full_disk_is_called_a_full_disk(hall: RealCore) -> None:
    fill(hall.folder / "images")

    reasons = becomes(hall, "down", "disk_full")
    assert reasons["disk_full"]["subject"] == "disk full"
    assert not any("stuck" in reason["problem"] for reason in reasons.values())
    (hall.folder / "images/other").unlink()
    well(hall)


def test_a_camera_that_is_refused_is_named(hall: RealCore) -> None:
    stranger = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="not-in-the-group")
    stranger.connect("127.0.0.1", hall.info["ports"]["mqtt_plain"])
    stranger.loop(1.0)

    assert (
        "not-in-the-group"
        in becomes(hall, "degraded", "client_refused")["client_refused"]["subject"]
    )
    assert inspects(hall)


def test_a_camera_that_sends_no_images_is_named_with_why(hall: RealCore) -> None:
    hall.fanfold("publish", "hall/images/left", "no image", "--site", "hall")

    refused = becomes(hall, "degraded", "images_refused")["images_refused"]
    assert refused["subject"] == "camera left"


def test_a_model_that_fails_every_image_is_down_and_stays_so_when_left_alone(
    hall: RealCore,
) -> None:
    (hall.folder / "fail").touch()
    hall.fanfold("send", "photos", "--site", "hall", "--camera", "left", "--repeat", "25")

    reasons = becomes(hall, "down", "model_fails")
    assert not inspects(hall)
    assert "failed" in reasons["model_fails"]["problem"]
    (hall.folder / "fail").unlink()
