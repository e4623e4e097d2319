"""A record is made only of what is the image's own fault; all else waits and goes on."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import ClassVar

import numpy as np
import pytest

from contract.messages import Work
from lambdas.common.marker import write_marker
from lambdas.imaging.rules import DEFAULT
from lambdas.worker import prepare as prepare_module
from lambdas.worker.activity import Activity
from lambdas.worker.hold import GIVEN_BACK, LET_GO_S, Hold
from lambdas.worker.prepare import LARGE_BYTES, Prepare
from lambdas.worker.work import Batch, Image

CONTENT = b"the bytes of an image"
KEPT = ".fanfold/inbox/cam1/000000000001"


class FakeTransform:
    """Takes any bytes; what it is given is what was decoded."""

    hooked = False
    shape = (1,)
    rules = DEFAULT
    damage = None
    regions: ClassVar = {}

    def __init__(self):
        self.error = None
        self.each = lambda: None

    def __call__(self, data, out, camera=""):
        self.each()
        if self.error:
            raise self.error
        return 1, 1


class Desk:
    """One image in custody, and a worker's hands on it, in virtual time."""

    def __init__(self, root):
        self.root = root
        (root / ".fanfold/inbox/cam1").mkdir(parents=True)
        (root / KEPT).write_bytes(CONTENT)
        write_marker(str(root), "volume-1")
        status = (root / KEPT).stat()
        self.item = {
            "stream": "cam1", "seq": 1, "id": "a", "file": "cam1/a.jpg", "kept": KEPT,
            "stat": [status.st_size, status.st_mtime_ns, status.st_ino],
        }  # fmt: skip
        self.now = 0.0
        self.slept = []
        self.transform = FakeTransform()
        #: How often it had slept at each call.
        self.let_go = []
        self.prepare = Prepare(str(root), self.transform, before_long=self._let_go)
        self.hold = Hold(self.prepare, Activity(), clock=lambda: self.now, sleep=self._sleep)
        self.on_sleep = lambda: None

    def _sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)
        self.on_sleep()

    def _let_go(self):
        self.let_go.append(len(self.slept))

    def image(self, **more):
        return Image(Batch(Work("b", 1, [dict(self.item, **more)], None, "", "volume-1")), 0)

    def take(self, image=None):
        return self.hold(image or self.image(), np.zeros(1, np.float32))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def failing(monkeypatch, code):
    """Reads fail until it is called."""
    real = prepare_module.read_inside
    state = {"on": True}

    def read(*arguments):
        if state["on"]:
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    monkeypatch.setattr(prepare_module, "read_inside", read)
    return lambda: state.update(on=False)


TROUBLES = [
    errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENODEV,
    errno.ENOTCONN, errno.ETIMEDOUT, errno.EROFS, errno.EHOSTDOWN, errno.EREMOTEIO,
]  # fmt: skip


@pytest.mark.parametrize("code", TROUBLES)
def test_a_short_trouble_of_the_machine_costs_only_time(desk, monkeypatch, code):
    over = failing(monkeypatch, code)
    desk.on_sleep = lambda: over() if len(desk.slept) == 3 else None
    image = desk.image()

    assert desk.take(image) is None
    assert len(desk.slept) == 3
    assert desk.hold.trouble == ""
    assert image.item["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("code", TROUBLES)
def test_a_long_one_gives_the_image_back_and_is_told_until_it_is_over(desk, monkeypatch, code):
    over = failing(monkeypatch, code)

    assert desk.take() is GIVEN_BACK
    assert desk.now >= LET_GO_S
    before = len(desk.slept)
    assert desk.take() is GIVEN_BACK
    assert len(desk.slept) == before
    desk.hold.look()
    assert os.strerror(code) in desk.hold.trouble
    over()
    desk.hold.look()
    assert desk.hold.trouble == ""
    assert desk.take() is None


INLINE = {"file": KEPT, "kept": None}


@pytest.mark.parametrize("item", [{}, INLINE], ids=["file", "inline"])
def test_a_link_in_the_place_of_the_inbox_costs_only_time(desk, item):
    inbox, aside = desk.root / ".fanfold/inbox", desk.root / "aside"
    inbox.rename(aside)
    inbox.symlink_to(aside)

    def mend():
        if len(desk.slept) == 2:
            inbox.unlink()
            aside.rename(inbox)

    desk.on_sleep = mend

    assert desk.take(desk.image(**item)) is None
    assert len(desk.slept) == 2


def refusing(monkeypatch, name):
    """As to a function that is not root: `name` may not be opened until it is called."""
    real, state = os.open, {"on": True}

    def opened(path, *arguments, **more):
        if path == name and state["on"]:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", opened)
    return lambda: state.update(on=False)


@pytest.mark.parametrize("item", [{}, INLINE], ids=["file", "inline"])
@pytest.mark.parametrize("folder", [".fanfold", "inbox", "cam1"])
def test_a_folder_of_ours_that_may_not_be_entered_costs_only_time(desk, monkeypatch, folder, item):
    over = refusing(monkeypatch, folder)
    desk.on_sleep = lambda: over() if len(desk.slept) == 2 else None

    assert desk.take(desk.image(**item)) is None
    assert len(desk.slept) == 2


def test_a_file_that_its_camera_lets_nobody_read_is_its_own_fault(desk, monkeypatch):
    refusing(monkeypatch, KEPT.rpartition("/")[2])
    record = desk.take()

    assert (record["status"], record["reason"]) == ("failed", "not_a_file")
    assert desk.slept == []


def test_a_file_that_is_missing_with_its_volume_waits_for_it(desk):
    away = desk.root.with_name("away")
    desk.root.rename(away)
    desk.root.mkdir()

    def mount_again():
        if len(desk.slept) == 2:
            desk.root.rmdir()
            away.rename(desk.root)

    desk.on_sleep = mount_again

    assert desk.take() is None
    assert len(desk.slept) == 2


def test_a_file_that_is_missing_in_its_volume_is_not_found(desk):
    (desk.root / KEPT).unlink()
    record = desk.take()

    assert (record["status"], record["reason"]) == ("failed", "not_found")
    assert desk.slept == []


def test_where_the_splitters_name_was_removed_the_cameras_own_still_leads_there(desk):
    (desk.root / "cam1").mkdir()
    os.link(str(desk.root / KEPT), str(desk.root / "cam1/a.jpg"))
    (desk.root / KEPT).unlink()

    assert desk.take() is None


@pytest.mark.parametrize("which", range(3))
def test_another_size_time_or_inode_than_at_acceptance_is_changed(desk, which):
    stat = list(desk.item["stat"])
    stat[which] += 1
    record = desk.take(desk.image(stat=stat))

    assert (record["status"], record["reason"]) == ("failed", "changed")


def test_other_bytes_than_were_copied_are_changed_and_the_record_says_which(desk):
    record = desk.take(desk.image(stat=[len(CONTENT), 0, 0], digest="0" * 64))

    assert record["reason"] == "changed"
    assert record["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_too_little_memory_to_decode_is_no_fault_of_the_image(desk):
    desk.transform.error = MemoryError("40 MB")
    desk.on_sleep = lambda: setattr(desk.transform, "error", None)

    assert desk.take() is None
    assert len(desk.slept) == 1


def test_a_surprise_of_the_decoder_is_the_images_own(desk):
    desk.transform.error = RuntimeError("bad Huffman code")

    assert desk.take()["reason"] == "not_an_image"


def test_what_is_ready_is_let_go_before_a_wait_for_the_machine(desk, monkeypatch):
    over = failing(monkeypatch, errno.EIO)
    desk.on_sleep = over

    assert desk.take() is None
    assert desk.let_go == [0]


@pytest.mark.parametrize("more", [0, 1])
def test_what_is_ready_is_let_go_before_a_large_image_is_decoded(desk, more):
    (desk.root / KEPT).write_bytes(b"x" * (LARGE_BYTES + more))
    seen = []
    desk.transform.each = lambda: seen.append(len(desk.let_go))

    assert desk.take(desk.image(stat=None)) is None
    assert seen == [more]
