"""A disk that is really full: a small tmpfs, where this user may mount one."""

from __future__ import annotations

import pytest
from small_disks import fill
from splitter_kit import JPEG, Bench, event


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


@pytest.mark.slow
@pytest.mark.parametrize("mib", [2, 8])
def test_a_disk_that_others_filled_takes_acknowledgements_also_after_a_restart(disk_of, mib):
    disk = disk_of(mib)
    bench = Bench(disk)
    taken = []
    for n in range(200):
        answer = bench.image(event(id=f"m{n}", files=[f"cam1/{n}-{i}.jpg" for i in range(200)]))
        if answer["answer"] == "accepted":
            taken.append(answer)
    assert taken
    fill(disk)
    bench.restart()
    bench.ack()
    count = sum(answer["count"] for answer in taken)
    assert len(list(bench.splitter.journal.unfinished())) == count
    for done in range(0, count + 1, 500):
        bench.ack(cam1=min(done + 500, count))
        bench.step(after_s=1.0)
    assert list(bench.splitter.journal.unfinished()) == []
    (disk / "other").unlink()
    assert bench.image(JPEG)["seq"] == count + 1
