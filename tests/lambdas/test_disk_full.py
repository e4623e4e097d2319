"""A disk that is really full: a small tmpfs, where this user may mount one."""

from __future__ import annotations

import subprocess

import pytest
from splitter_kit import JPEG, Bench


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root: " + mounted.stderr.decode().strip())
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_new_images_keeps_accepted_ones_and_drains(small_disk):
    bench = Bench(small_disk)
    answers = [bench.image(JPEG + bytes(60_000) + bytes([n])) for n in range(60)]
    taken = [a["seq"] for a in answers if a["answer"] == "accepted"]
    refused = [a for a in answers if a["answer"] == "rejected"]

    assert refused
    assert {a["reason"] for a in refused} == {"no_space"}
    assert taken == list(range(1, len(taken) + 1))
    assert len(bench.inbox_files()) == len(taken)
    bench.restart()
    bench.ack()
    bench.ack(cam1=len(taken))
    bench.step(after_s=1.0)
    assert list(bench.splitter.journal.unfinished()) == []
    assert bench.image(JPEG)["seq"] == len(taken) + 1
