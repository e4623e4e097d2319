"""Others write to the images volume too: nothing outside it is read, written or removed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import threading
import time

import pytest
from image_zoo import JPEG
from inference_kit import Bus, simulated, start, work
from splitter_kit import Bench, event

from contract.messages import REJECTED_REASONS
from lambdas.common.paths import PathError, read_inside

SECRET = b"\xff\xd8\xff the operator's secret"
TURNS = 1_500


@pytest.fixture
def outside(tmp_path):
    """A folder beside the volume, with something to steal; it must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.jpg").write_bytes(SECRET)
    yield folder
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"secret.jpg": SECRET}


@pytest.fixture
def volume(tmp_path, outside):
    """A volume with a trap of every kind, made before the parts start."""
    images = tmp_path / "images"
    cam = images / "cam1"
    cam.mkdir(parents=True)
    (cam / "good.jpg").write_bytes(JPEG)
    (cam / "absolute-link.jpg").symlink_to(outside / "secret.jpg")
    (cam / "relative-link.jpg").symlink_to("../../outside/secret.jpg")
    (cam / "link-to-good.jpg").symlink_to("good.jpg")
    (cam / "endless-link.jpg").symlink_to("endless-link.jpg")
    (cam / "dangling-link.jpg").symlink_to("nowhere.jpg")
    (cam / "folder-link").symlink_to(outside, target_is_directory=True)
    (cam / "folder.jpg").mkdir()
    os.mkfifo(str(cam / "pipe.jpg"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(cam / "socket.jpg"))
    listener.close()
    return images


TRAPS = {
    "../outside/secret.jpg": "outside_volume",
    "cam1/../../outside/secret.jpg": "outside_volume",
    "/etc/passwd": "outside_volume",
    "//etc/passwd": "outside_volume",
    "cam1//good.jpg": "outside_volume",
    "./cam1/good.jpg": "outside_volume",
    "cam1/good.jpg/": "outside_volume",
    "cam1/good.jpg/.": "outside_volume",
    "..": "outside_volume",
    "cam1/absolute-link.jpg": "outside_volume",
    "cam1/relative-link.jpg": "outside_volume",
    "cam1/link-to-good.jpg": "outside_volume",
    "cam1/endless-link.jpg": "outside_volume",
    "cam1/dangling-link.jpg": "outside_volume",
    "cam1/folder-link/secret.jpg": "outside_volume",
    "cam1/good.jpg/x": "not_found",
    "cam1/none.jpg": "not_found",
    "cam1/" + "x" * 300: "not_found",
    "cam1/folder.jpg": "not_a_file",
    "cam1/pipe.jpg": "not_a_file",
    "cam1/socket.jpg": "not_a_file",
}


@pytest.mark.parametrize("path", TRAPS)
def test_an_event_that_names_a_trap_is_rejected_with_a_reason(tmp_path, volume, path):
    answer = Bench(tmp_path).image(event(id="e", file=path))
    assert (answer["answer"], answer["reason"]) == ("rejected", TRAPS[path])
    assert answer["detail"]
    assert answer["reason"] in REJECTED_REASONS


def test_a_manifest_of_traps_costs_each_its_own_failed_record_and_no_other(tmp_path, volume):
    files = ["cam1/good.jpg", *TRAPS, "cam1/good.jpg"]
    answer = Bench(tmp_path).image(event(id="m", files=files))
    assert (answer["answer"], answer["count"]) == ("accepted", len(files))
    bus = Bus()
    worker = start(tmp_path, simulated(tmp_path / "model", wait_ms=0), bus)
    worker.handle(work("b-1", *files))
    bus.wait(lambda: len(bus.results()) == len(files))
    worker.stop()
    assert [r.get("reason") for r in bus.results()] == [None, *TRAPS.values(), None]
    assert b"secret" not in json.dumps([r.get("output") for r in bus.results()]).encode()


def test_a_device_file_is_not_a_file(tmp_path, volume):
    try:
        os.mknod(str(volume / "cam1" / "zero.jpg"), 0o644 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("making a device file needs root")
    answer = Bench(tmp_path).image(event(id="e", file="cam1/zero.jpg"))
    assert answer["reason"] == "not_a_file"


@pytest.mark.parametrize("text", ["cam1/a\0b", "cam1/\ud800", "cam1/a\nb", "x/" * 600, "", 7, None])
def test_what_is_no_path_is_rejected_too(tmp_path, volume, text):
    answer = Bench(tmp_path).image(event(id="e", file=text))
    assert answer["answer"] == "rejected"


def test_a_file_that_turns_into_traps_while_it_is_read_gives_itself_or_nothing(volume, outside):
    """Swapped all the time for a link, a pipe, a folder, and itself."""
    target, spare = volume / "cam1" / "x.jpg", volume / "cam1" / "spare"
    done = threading.Event()

    def swap() -> None:
        makers = (
            lambda: spare.write_bytes(JPEG),
            lambda: spare.symlink_to(outside / "secret.jpg"),
            lambda: os.mkfifo(str(spare)),
            lambda: spare.symlink_to(outside, target_is_directory=True),
        )
        turn = 0
        while not done.is_set():
            makers[turn % len(makers)]()
            spare.replace(target)
            turn += 1

    thread = threading.Thread(target=swap, daemon=True)
    thread.start()
    found, reasons = set(), set()
    turns, until = 0, time.monotonic() + 60
    # A busy machine may give one of the two threads all the time for a while.
    while turns < TURNS or not (found and "outside_volume" in reasons):
        assert time.monotonic() < until, (found, reasons)
        turns += 1
        try:
            found.add(read_inside(str(volume), "cam1/x.jpg", 1 << 20))
        except PathError as error:
            reasons.add(error.reason)
    done.set()
    thread.join(30)
    assert found == {JPEG}
    assert reasons <= {"outside_volume", "not_a_file", "not_found"}
    assert "outside_volume" in reasons


def test_a_file_that_grows_and_shrinks_while_it_is_read_stays_within_the_limit(volume):
    limit, path, done = 50_000, volume / "cam1" / "x.jpg", threading.Event()
    path.write_bytes(b"x")

    def breathe() -> None:
        with path.open("r+b") as file:
            while not done.is_set():
                for size in (0, 10, limit - 1, limit, limit + 1, 3 * limit):
                    file.truncate(size)

    thread = threading.Thread(target=breathe, daemon=True)
    thread.start()
    sizes, reasons = set(), set()
    for _ in range(TURNS):
        try:
            sizes.add(len(read_inside(str(volume), "cam1/x.jpg", limit)))
        except PathError as error:
            reasons.add(error.reason)
    done.set()
    thread.join(30)
    assert max(sizes) <= limit
    assert reasons <= {"too_large"}


@pytest.mark.parametrize("where", [".fanfold", ".fanfold/inbox", ".fanfold/inbox/cam1"])
def test_an_inbox_that_is_a_link_takes_no_image_and_loses_no_file(tmp_path, volume, outside, where):
    link = volume / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside, target_is_directory=True)
    bench = Bench(tmp_path)  # sweeps what no accepted image names
    answer = bench.image(JPEG)
    assert (answer["answer"], answer["reason"]) == ("rejected", "busy")
    assert "symbolic link" in answer["detail"]


def test_links_planted_in_the_inbox_are_neither_written_through_nor_followed(
    tmp_path, volume, outside
):
    """The name of a file there can be known before: it comes from the event's id."""
    bench = Bench(tmp_path)
    bench.image(JPEG)
    (path,) = bench.inbox_files()
    path.unlink()
    other = Bench(tmp_path / "again", FANFOLD_IMAGES_DIR=str(volume))
    for name in (path.name, path.name + ".part"):
        (path.parent / name).symlink_to(outside / "secret.jpg")
    (path.parent / "folder").symlink_to(outside, target_is_directory=True)
    assert other.image(JPEG)["answer"] == "accepted"
    assert path.read_bytes() == JPEG
    assert not path.is_symlink()
    other.restart()


def test_a_drop_folder_gives_nothing_but_its_own_regular_files(tmp_path, volume, outside):
    drop = volume / "drop" / "cam1"
    shutil.copytree(
        str(volume / "cam1"), str(drop), symlinks=True, ignore=lambda *_: ["pipe.jpg", "socket.jpg"]
    )
    os.mkfifo(str(drop / "pipe.jpg"))
    (drop / "line\nbreak.jpg").write_bytes(JPEG)
    (volume / "drop" / "cam2").symlink_to(outside, target_is_directory=True)
    bench = Bench(tmp_path)
    bench.heartbeat()
    for _ in range(8):
        bench.step(after_s=1.0)
        bench.heartbeat()
    own = ["drop/cam1/good.jpg", "drop/cam1/line\\nbreak.jpg"]  # shown with its line break named
    assert sorted(item["file"] for item in bench.work()) == own
