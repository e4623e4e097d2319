"""Models that processes of one machine keep on GPUs which are handed from one to another."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid

import pytest

from replay.engines.process_slot import ProcessSlot
from replay.errors import CannotLoadError

DEADLINE_S = 30
#: Says that it sits, waits for a line, and lets go of nothing by itself.
HOLDER = """
import sys
from replay.engines.process_slot import ProcessSlot

class Kept:
    def stop(self):
        print("stopped", flush=True)

slot = ProcessSlot()
with slot.using("job", [sys.argv[1]], Kept):
    print("sits", flush=True)
    sys.stdin.readline()
print("idle", flush=True)
sys.stdin.readline()
"""


class Kept:
    def __init__(self) -> None:
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def gpu():
    """Of no other test."""
    return uuid.uuid4().hex


@pytest.fixture
def holder(gpu):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, gpu], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "sits\n"
        yield process
        process.kill()


def next_shard(process: subprocess.Popen) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_model_is_kept_between_shards_and_made_anew_for_another_gpu(gpu):
    slot, made = ProcessSlot(), []

    def make():
        made.append(Kept())
        return made[-1]

    for name in (gpu, gpu, gpu + "x", gpu + "x"):
        with slot.using("job", [name], make) as kept:
            assert not kept.stopped

    assert [kept.stopped for kept in made] == [True, False]


def test_a_model_that_another_process_left_on_a_gpu_ends_before_ours_begins(holder, gpu):
    next_shard(holder)
    assert holder.stdout.readline() == "idle\n"

    def make():
        assert holder.stdout.readline() == "stopped\n"
        return Kept()

    with ProcessSlot().using("job", [gpu], make) as kept:
        assert not kept.stopped


def test_a_process_that_still_works_on_a_gpu_is_waited_for(holder, gpu):
    began = threading.Event()

    def work():
        with ProcessSlot().using("job", [gpu], Kept):
            began.set()

    waiting = threading.Thread(target=work)
    waiting.start()
    assert not began.wait(0.3)

    next_shard(holder)

    assert began.wait(DEADLINE_S)
    waiting.join(DEADLINE_S)


def test_a_process_that_is_killed_leaves_its_gpu_to_the_next(holder, gpu):
    holder.kill()
    holder.wait(DEADLINE_S)

    with ProcessSlot().using("job", [gpu], Kept) as kept:
        assert not kept.stopped


def test_two_that_exchange_their_gpus_do_not_wait_for_each_other(gpu):
    slots, mine = [ProcessSlot(), ProcessSlot()], [f"{gpu}-0", f"{gpu}-1"]
    for slot, name in zip(slots, mine, strict=True):
        with slot.using("job", [name], Kept):
            pass
    done = []

    def work(slot, name):
        with slot.using("job", [name], Kept):
            done.append(name)

    threads = [
        threading.Thread(target=work, args=(slot, name))
        for slot, name in zip(slots, reversed(mine), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)

    assert sorted(done) == mine


def test_a_model_that_cannot_be_loaded_is_not_kept(gpu):
    slot, made = ProcessSlot(), []

    def make():
        made.append(Kept())
        return made[-1]

    with pytest.raises(CannotLoadError), slot.using("job", [gpu], make):
        raise CannotLoadError("no such layer")
    with slot.using("job", [gpu], make):
        pass

    assert [kept.stopped for kept in made] == [True, False]
