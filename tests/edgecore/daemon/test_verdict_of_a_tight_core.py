"""More of the verdict's situations made real, on a core with little room: queue, spool, disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image
from real_core import RealCore
from small_disks import SMALL_BYTES, small_disk_at

from edgecore.core.verdict.machine import FULL_BYTES
from fanfold.device.interpreters import device_python

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]
BACKLOG = 40
DISK_MIB = 64
FILES = 100
HOOKS = '''
"""A model that fails, hangs or loads slowly while a file of that name is there."""
import os, re, time

HERE = {here!r}
seen = 0

def is_there(name):
    return os.path.exists(os.path.join(HERE, name))

while is_there("loads"):
    time.sleep(0.1)

def postprocess(outputs):
    global seen
    seen += 1
    if is_there("hangs"):
        re.match("(a+)+$", "a" * 64 + "b")  # native code that lets nobody else of its process run
    if is_there("fails") and seen % 3 == 0:
        raise ValueError("no such class")
    return {{"top": [{{"label": "part", "index": 0, "score": 0.9}}]}}
'''


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    core.write(
        backlog={"max_images": BACKLOG, "policy": "drop_oldest"},
        spooler={"max_size_bytes": 1 << 19},
    )
    for number, photo in enumerate((core.folder / "photos").iterdir()):
        # `send` leaves its copies, and the disk is small.
        Image.new("RGB", (48, 32), (80 * number, 90, 90)).save(photo)
    (core.folder / "sites/hall_hooks.py").write_text(HOOKS.format(here=str(core.folder)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(small_disk_at(core.folder / "images", DISK_MIB))
        core.start()
        stack.callback(core.stop)
        yield core


def codes(hall: RealCore) -> dict[str, dict[str, Any]]:
    return {reason["code"]: reason for reason in hall.status()["verdict"]["reasons"]}


def becomes(hall: RealCore, state: str, code: str) -> dict[str, Any]:
    """The reason, once the verdict is this bad and has it."""

    def there() -> Any:
        found = codes(hall).get(code)
        return found and hall.status()["verdict"]["state"] == state and found

    return hall.eventually(there, f"{state} with {code}")


def well(hall: RealCore) -> None:
    """No reason of the group's own is left; what cameras did is remembered for some minutes."""
    hall.eventually(
        lambda: hall.ask("/ready")[0] == 200 and not any(r["gate"] for r in codes(hall).values()),
        "well again",
    )


def send(hall: RealCore, images: int, folder: str = "photos") -> None:
    of = len(list((hall.folder / folder).iterdir()))
    repeat = str(-(-images // of))
    hall.fanfold(
        "send", folder, "--site", "hall", "--camera", "left", "--repeat", repeat, ok=(0, 1)
    )


@contextlib.contextmanager
def while_there(hall: RealCore, name: str) -> Iterator[None]:
    (hall.folder / name).touch()
    try:
        yield
    finally:
        (hall.folder / name).unlink()


def test_a_model_that_fails_a_third_is_degraded(hall: RealCore) -> None:
    with while_there(hall, "fails"):
        send(hall, 30)
        becomes(hall, "degraded", "model_fails_some")


def test_a_camera_s_broken_images_are_not_the_model_s_fault(hall: RealCore) -> None:
    broken = hall.folder / "broken"
    broken.mkdir()
    photo = next((hall.folder / "photos").iterdir()).read_bytes()
    for number in range(15):
        (broken / f"{number}.jpg").write_bytes(photo[: 600 + number])
    send(hall, 30, "broken")

    becomes(hall, "degraded", "images_fail")


def test_a_spool_that_fills_is_said_before_and_when_results_are_lost(hall: RealCore) -> None:
    cloud = hall.folder / "s/core/hall/cloud"
    hall.stop()
    cloud.rename(hall.folder / "cloud.before")
    cloud.write_text("a file where the sink wants its folder")
    hall.start()
    for _ in range(20):
        send(hall, 150)
        if codes(hall).keys() & {"spool_high", "cloud_lost"}:
            break
    becomes(hall, "degraded", "spool_high")
    for _ in range(20):
        send(hall, 150)
        if "cloud_lost" in codes(hall):
            break
    becomes(hall, "degraded", "cloud_lost")
    cloud.unlink()
    hall.eventually(lambda: "cloud_unreachable" not in codes(hall), "reached again")


def test_a_backlog_of_drained_workers_is_high_then_full_then_dropped(hall: RealCore) -> None:
    hall.fanfold("drain", "w0", "w1", "--site", "hall")
    try:
        send(hall, BACKLOG * 9 // 10)
        becomes(hall, "down", "backlog_high")
        send(hall, BACKLOG // 2)
        full = becomes(hall, "down", "backlog_full")
        becomes(hall, "down", "images_dropped")
        assert "no_results" not in codes(hall), "beside all_drained it says nothing"
    finally:
        hall.fanfold("drain", "w0", "w1", "--site", "hall", "--resume")

    assert full["blocks"]
    well(hall)


def test_a_volume_that_is_mounted_read_only_is_called_so(hall: RealCore) -> None:
    images = hall.folder / "images"
    remount(images, "ro")
    try:
        send(hall, 1)
        becomes(hall, "down", "volume_refuses")
    finally:
        remount(images, "rw")
    well(hall)


def test_a_disk_with_little_room_is_said_before_it_is_full(hall: RealCore) -> None:
    images = hall.folder / "images"
    other = images / "other"
    free = os.statvfs(images).f_bavail * os.statvfs(images).f_frsize
    assert free < SMALL_BYTES, "the small disk is not mounted"
    other.write_bytes(bytes(free - 2 * FULL_BYTES))

    becomes(hall, "degraded", "disk_low")
    other.unlink()
    hall.eventually(lambda: "disk_low" not in codes(hall), "room again")


def test_a_disk_with_bytes_left_and_room_for_no_file_is_full(hall: RealCore) -> None:
    images = hall.folder / "images"
    many = images / "many"
    many.mkdir()
    held = os.statvfs(images).f_files - os.statvfs(images).f_ffree
    remount(images, f"nr_inodes={held + FILES}")
    try:
        for number in range(FILES - 1):
            (many / str(number)).touch()
        low = becomes(hall, "degraded", "disk_low")
        (many / "last").touch()
        full = becomes(hall, "down", "disk_full")
    finally:
        remount(images, "nr_inodes=0")
        shutil.rmtree(many)

    assert "room for 1 more files" in low["problem"]
    assert "room for 0 more files" in full["problem"]
    well(hall)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def test_a_worker_that_is_loading_is_starting_and_what_waits_is_said(hall: RealCore) -> None:
    with while_there(hall, "loads"):
        os.kill(hall.function("w0")["pid"], signal.SIGKILL)
        becomes(hall, "degraded", "function_starting")
        os.kill(hall.function("w1")["pid"], signal.SIGKILL)
        becomes(hall, "down", "function_starting")
        send(hall, 1)
        becomes(hall, "down", "no_results")
    well(hall)


def test_a_worker_that_hangs_in_native_code_is_silent_before_it_is_replaced(hall: RealCore) -> None:
    with while_there(hall, "hangs"):
        send(hall, 1)
        becomes(hall, "degraded", "worker_silent")
    well(hall)


def test_a_worker_that_keeps_dying_is_in_a_crash_loop(hall: RealCore) -> None:
    def kill() -> bool:
        found = hall.function("w0")
        if found["state"] in {"starting", "running"} and found["pid"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found["pid"], signal.SIGKILL)
        seen.add(found["state"])
        return found["state"] == "crash_loop"

    seen: set[str] = set()
    hall.eventually(kill, "in a crash loop")
    becomes(hall, "degraded", "function_crash_loop")
    assert hall.act("restart", {"function": "w0"})[0] == 200

    assert "backoff" in seen, "which the verdict calls function_backoff"
    well(hall)


def test_more_than_the_router_holds_is_said(hall: RealCore) -> None:
    camera = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="hall-core-left")
    camera.connect("127.0.0.1", hall.info["ports"]["mqtt_plain"])
    camera.loop_start()
    [splitter] = [hall.function("splitter")["pid"]]
    os.kill(splitter, signal.SIGSTOP)
    try:
        for number in range(1200):
            camera.publish("hall/images/left", f'{{"v":1,"id":"{number}","file":"none.jpg"}}')
        becomes(hall, "down", "router_full")
    finally:
        os.kill(splitter, signal.SIGKILL)
        camera.disconnect()
        camera.loop_stop()
    well(hall)


def test_a_journal_that_was_damaged_and_a_history_that_cannot_be_opened_are_said(
    hall: RealCore,
) -> None:
    """The one until the next start, the other for as long as it is so."""
    hall.stop()
    damage(hall.folder / "state/splitter/journal.sqlite3")
    history = hall.folder / "s/core/hall/history"
    history.rename(history.with_name("history.before"))
    history.write_text("a file where the history wants its folder")
    hall.start()

    assert becomes(hall, "degraded", "journal_damaged")["subject"] == "splitter"
    assert str(history) in becomes(hall, "degraded", "history_problem")["problem"]
    history.unlink()
    hall.eventually(lambda: "history_problem" not in codes(hall), "kept again")


def damage(database: Path) -> None:
    """Its header, which the log beside it would bring back."""
    for beside in database.parent.glob(f"{database.name}-*"):
        beside.unlink()
    with database.open("r+b") as file:
        file.write(b"\xa5" * 100)
