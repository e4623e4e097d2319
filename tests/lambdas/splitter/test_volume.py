"""Whether the images volume takes something: asked of the place where it would go."""

from __future__ import annotations

import errno
import os

from small_disks import small_disk_at

from contract.volumes import INBOX
from lambdas.common.marker import write_marker
from lambdas.splitter.volume import LOOK_EVERY_S, Volume


def test_an_inbox_that_is_no_folder_refuses_until_it_is_one_again(tmp_path):
    volume = Volume(str(tmp_path), "", lambda identity: None)
    volume.look(0.0, empty=True)
    (tmp_path / INBOX).symlink_to(tmp_path)
    volume.failed(OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    volume.look(LOOK_EVERY_S, empty=True)

    assert volume.describe()["state"] == "refuses"
    assert f"{INBOX} must be a folder" in volume.describe()["detail"]

    (tmp_path / INBOX).unlink()
    volume.look(2 * LOOK_EVERY_S, empty=True)

    assert volume.describe() == {"state": "ready"}


# A volume that goes while nothing waits


class Remembered:
    """What the journal keeps of a volume."""

    def __init__(self) -> None:
        self.identity, self.apart = "", False

    def start(self, root) -> Volume:
        return Volume(
            str(root),
            self.identity,
            self.set_identity,
            self.apart,
            self.set_apart,
            str(root.parent),
        )

    def set_identity(self, identity: str) -> None:
        self.identity = identity

    def set_apart(self, apart: bool) -> None:
        self.apart = apart


def unmounted(tmp_path):
    """A splitter that has seen a mounted volume, which is no longer there."""
    root, journal = tmp_path / "images", Remembered()
    with small_disk_at(root, 1):
        volume = journal.start(root)
        assert volume.confirm(empty=True)
    return root, journal, volume


def test_the_folder_below_an_unmounted_volume_is_not_taken_for_it_though_nothing_waits(
    tmp_path, caplog
):
    root, journal, volume = unmounted(tmp_path)
    was = volume.identity
    for seen in (volume, volume, journal.start(root)):
        assert not seen.confirm(empty=True)
        assert f"nothing is mounted at {root}" in seen.describe()["detail"]
        assert seen.identity == was
    assert not list(root.iterdir()), "nothing is written there"
    assert caplog.text.count("nothing is mounted") == 2, "once by each process"


def test_it_goes_on_by_itself_when_the_volume_is_back(tmp_path):
    root, _, volume = unmounted(tmp_path)
    assert not volume.confirm(empty=True)
    root.rmdir()
    with small_disk_at(root, 1):
        write_marker(str(root), volume.identity)
        assert volume.confirm(empty=True)


def test_another_disk_in_its_place_is_taken_when_nothing_waits_without_a_human(tmp_path):
    root, journal, volume = unmounted(tmp_path)
    was = volume.identity
    assert not volume.confirm(empty=True)
    root.rmdir()
    with small_disk_at(root, 1):
        assert volume.confirm(empty=True)
        assert volume.identity == journal.identity != was


def test_the_owner_may_say_that_images_are_in_the_folder_from_now_on(tmp_path):
    root, journal, volume = unmounted(tmp_path)
    assert not volume.confirm(empty=True)
    write_marker(str(root), volume.identity)
    assert volume.confirm(empty=True)
    assert not journal.apart
    assert journal.start(root).confirm(empty=True)


def test_a_disk_that_comes_under_the_numbers_of_another_is_not_it_while_images_wait(tmp_path):
    root, _, volume = unmounted(tmp_path)
    assert not volume.confirm(empty=False)
    root.rmdir()
    with small_disk_at(root, 1):
        assert not volume.confirm(empty=False)
        assert "another volume is mounted" in volume.describe()["detail"]
