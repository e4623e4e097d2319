"""Folders that a replay reads and writes: refused, followed, and nothing half written."""

from __future__ import annotations

import pytest
from replay_kit import Whole, archive_of, package

from replay.errors import ReplayError
from replay.join import stream_file
from replay.place import Folder
from replay.plan import make_plan


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(ReplayError, match=r"file: a/b cannot be written: .*start the same command"):
        Folder(tmp_path / "file").write_once("a/b", b"content")


def test_a_link_to_a_folder_above_is_refused_instead_of_listed_over_and_over(tmp_path):
    (tmp_path / "cam1").mkdir()
    (tmp_path / "cam1/up").symlink_to("..")

    with pytest.raises(ReplayError, match=r"cam1/up: a link to a folder that holds it"):
        list(Folder(tmp_path).entries())


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    archive_of(tmp_path / "elsewhere", cam1=2)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cam2").symlink_to(tmp_path / "elsewhere/cam1")

    found = [entry.name for entry in Folder(tmp_path / "in").entries()]

    assert found == ["cam2/00000.jpg", "cam2/00001.jpg"]


def test_a_folder_that_is_not_there_is_told_from_one_without_images(tmp_path):
    with pytest.raises(ReplayError, match="nowhere: no such folder"):
        make_plan(Folder(tmp_path / "nowhere"), 10)
    with pytest.raises(ReplayError, match="no images there"):
        make_plan(Folder(tmp_path), 10)


def test_a_stream_of_a_long_name_has_a_file_that_every_folder_takes(tmp_path):
    camera = "Камера над конвейером, линия номер три, цех семь"
    other = camera[:-1] + "и"
    whole = Whole(
        archive_of(tmp_path / "in", **{camera: 2, other: 1}),
        tmp_path / "out", package(tmp_path / "m", "simulated", wait_ms=0),
    )  # fmt: skip
    whole.run()

    assert whole.finish()["streams"] == {camera: 2, other: 1}
    assert sorted(len(records) for records in whole.records().values()) == [1, 2]
    assert stream_file("cam 1") == "stream=cam%201.jsonl"
    assert stream_file("x" * 500).startswith(f"stream={'x' * 200}~")
    assert stream_file("x" * 199 + "é").startswith(f"stream={'x' * 199}~")


def test_a_folder_writes_once_and_leaves_nothing_half_written(tmp_path):
    place = Folder(tmp_path)

    assert place.write_once("a/b", b"first")
    assert not place.write_once("a/b", b"second")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b"]
    assert place.read("a/b") == b"first"
