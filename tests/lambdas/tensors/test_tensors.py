"""Rings in shared memory: who may touch a slot, and what a death leaves behind."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from rings import SIZE, ring_of

from lambdas.tensors.folder import Folder, LeaseFile, WakeFifo, Watch
from lambdas.tensors.reader import Reader
from lambdas.tensors.ring import (
    DONE,
    FREE,
    READY,
    RUNNING,
    NoteTooLongError,
    RingError,
    Word,
    open_ring,
)


@pytest.fixture
def folder(tmp_path):
    return Folder(str(tmp_path / "shm"))


def offer(ring, slot, since_ns=1, alone=False, **item):
    assert ring.hold(slot)
    ring.tensor(slot)[:] = since_ns
    ring.put_note(slot, since_ns, {"batch": "b-1", "item": item, "ms": {}})
    ring.set(slot, Word(1, 0, alone, READY))
    ring.release(slot)


def reader_of(folder, incarnation, model="m", transforms=("t0",)):
    reader = Reader(folder, transforms, incarnation, model)
    reader.refresh()
    return reader


def test_a_tensor_and_its_note_are_the_same_on_the_other_side(folder):
    ring = ring_of(folder)
    offer(ring, 2, 7, seq=41, file="ä/41.jpg")

    (claim,) = reader_of(folder, "w").take(1)

    assert claim.item == {"seq": 41, "file": "ä/41.jpg"}
    assert claim.tensor.tolist() == [7.0] * (SIZE // 4)
    assert ring.word(2) == (1, ring.word(2).incarnation, False, RUNNING)


def test_only_its_owner_can_change_a_tensor(folder):
    offer(ring_of(folder), 0)

    (claim,) = reader_of(folder, "w").take(1)

    with pytest.raises(ValueError, match="read-only"):
        claim.tensor[0] = 1


def test_a_tensor_has_one_taker_however_many_want_it(folder):
    ring = ring_of(folder, slots=64)
    for slot in range(64):
        offer(ring, slot, slot, seq=slot)
    taken, readers = [], [reader_of(folder, f"w{n}") for n in range(4)]

    def take(reader):
        while True:
            claims = reader.take(3)
            if not claims:
                return
            for claim in claims:
                taken.append(claim.item["seq"])
                claim.finish()

    threads = [threading.Thread(target=take, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(taken) == list(range(64))
    assert {ring.word(slot).state for slot in range(64)} == {DONE}


def test_the_oldest_tensor_of_all_rings_goes_first(folder):
    rings = [ring_of(folder, name) for name in ("t0", "t1")]
    for since, (ring, slot) in enumerate([(1, 3), (0, 1), (1, 0), (0, 2)]):
        offer(rings[ring], slot, since, seq=since)
    reader = reader_of(folder, "w", transforms=("t0", "t1"))

    assert [claim.item["seq"] for claim in reader.take(3)] == [0, 1, 2]
    assert [claim.item["seq"] for claim in reader.take(3)] == [3]


def test_a_suspect_goes_alone(folder):
    ring = ring_of(folder)
    offer(ring, 0, 1, seq=1)
    offer(ring, 1, 2, alone=True, seq=2)
    offer(ring, 2, 3, seq=3)
    reader = reader_of(folder, "w")

    groups = [[claim.item["seq"] for claim in reader.take(4)] for _ in range(2)]

    assert groups == [[1, 3], [2]]


def test_the_lock_of_a_dead_worker_is_free_and_its_mark_stays(folder):
    ring = ring_of(folder)
    offer(ring, 0)
    reader = reader_of(folder, "w")
    reader.take(1)
    assert ring.held(0)

    reader._rings["t0"].close()

    assert not ring.held(0)
    assert ring.word(0).state == RUNNING
    assert reader_of(folder, "w2").take(1) == []


def test_a_new_ring_takes_the_place_of_a_dead_ones_and_what_is_in_hand_stays_whole(folder):
    old = ring_of(folder, incarnation="a")
    offer(old, 0, 7, seq=1)
    reader = reader_of(folder, "w")
    (claim,) = reader.take(1)
    new = ring_of(folder, incarnation="b")
    offer(new, 0, 9, seq=2)

    assert reader.take(1) == []
    reader.refresh()
    (other,) = reader.take(1)

    assert (claim.tensor[0], other.tensor[0]) == (7.0, 9.0)
    claim.finish()
    assert (old.word(0).state, new.word(0).state) == (DONE, RUNNING)


def test_tensors_of_another_model_are_left_alone(folder):
    offer(ring_of(folder, model="new"), 0)

    assert reader_of(folder, "w", model="old").take(1) == []


def test_a_ring_without_memory_is_refused_in_words_and_leaves_nothing(folder, monkeypatch):
    def full(fd, offset, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RingError, match="no room for 4 tensors of 768 bytes"):
        ring_of(folder)
    assert list(Path(folder.path).iterdir()) == []


def test_a_note_that_does_not_fit_is_refused(folder):
    ring = ring_of(folder)

    with pytest.raises(NoteTooLongError, match="bytes of description"):
        ring.put_note(0, 1, {"ts": "x" * 20_000})


def test_rings_of_transforms_that_the_group_lost_are_removed(folder):
    for name in ("t0", "t1", "t2"):
        ring_of(folder, name)

    reader_of(folder, "w", transforms=("t0", "t1"))

    rings = [path.name for path in Path(folder.path).glob("*.ring")]
    assert sorted(rings) == ["t0.ring", "t1.ring"]


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(RingError, match="is not a folder of user"):
        Folder(str(tmp_path / "link"))
    with pytest.raises(RingError, match="can be written by other users"):
        Folder(str(tmp_path / "open"))
    with pytest.raises(RingError, match="mount a tmpfs"):
        Folder(str(tmp_path / "none" / "shm"))


def test_a_wake_up_is_taken_once_by_whoever_waits(tmp_path):
    waker, waiter = (WakeFifo(str(tmp_path / "b")) for _ in range(2))
    assert not waiter.is_woken_within(0)
    for _ in range(3):
        waker.wake()

    assert waiter.is_woken_within(0)
    assert waiter.take(10) == 2
    assert not waiter.is_woken_within(0)


def test_a_wake_up_that_nobody_takes_stops_nobody(tmp_path):
    fifo = WakeFifo(str(tmp_path / "b"))
    for _ in range(70_000):
        fifo.wake()

    assert fifo.is_woken_within(0)


def test_a_lease_file_shows_liveness_renewal_and_death(folder):
    path = folder.lease("w0")
    watch = Watch(path, 100.0)
    watch.look(101.0)
    assert not watch.alive

    lease = LeaseFile(path, "a")
    watch.look(102.0)
    assert (watch.alive, watch.still_s(102.0)) == (True, 0.0)
    watch.look(105.0)
    assert watch.still_s(105.0) == 3.0
    lease.renew()
    watch.look(106.0)
    assert watch.still_s(106.0) == 0.0

    os.close(lease._fd)
    watch.look(107.0)
    assert not watch.alive


def test_a_new_ring_begins_with_free_slots(folder):
    ring = ring_of(folder)

    assert [ring.word(slot).state for slot in range(ring.slots)] == [FREE] * 4
    assert open_ring(folder.ring("t1"), "m") is None
    np.testing.assert_array_equal(ring.tensor(3), np.zeros(SIZE // 4, np.float32))


def unnamed_files():
    """Open files of this process that have lost their name: in /dev/shm their memory stays."""
    folder = Path("/proc/self/fd")
    links = (os.readlink(link) for link in folder.iterdir() if link.is_symlink())
    return [link for link in links if link.endswith(".ring (deleted)")]


def test_a_ring_that_was_replaced_is_given_back_with_the_last_tensor_of_it(folder):
    before = len(unnamed_files())
    first = ring_of(folder)
    offer(first, 0, stream="cam1", seq=1)
    reader = Reader(folder, ("t0",), "w", "m")
    reader.refresh()
    (claim,) = reader.take(1)
    first.close()
    ring_of(folder, incarnation="b")

    reader.refresh()

    assert len(unnamed_files()) > before
    assert claim.tensor[0] == 1
    claim.finish()
    del claim
    assert len(unnamed_files()) == before
