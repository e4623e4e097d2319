from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tracemalloc
from pathlib import Path

import pytest
from every import every
from spool_filling import fill, numbers_of, run
from spooling import DEADLINE_S, Remembering, drained, refused, unreachable

from edgecore.uplink.backoff import CAP_S, Backoff
from edgecore.uplink.spooler import Spooler


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def test_messages_arrive_once_each_in_the_order_they_were_put(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler, sink = Spooler(tmp_path / "s.sqlite3"), Remembering()
        await fill(spooler, 300)
        await drained(spooler, sink)
        assert numbers_of(sink) == list(range(300))
        stats = spooler.stats()
        assert (stats["sent"], stats["spooled"], stats["spooled_bytes"]) == (300, 0, 0)
        await spooler.close()

    run(scenario)


def test_what_was_put_survives_a_restart_with_its_numbers(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, sink = tmp_path / "s.sqlite3", Remembering(max_messages=100)
        for start in (0, 50):
            spooler = Spooler(path)
            await fill(spooler, 50, start=start)
            await spooler.close()
        spooler = Spooler(path)
        assert spooler.stats()["spooled"] == 100
        await drained(spooler, sink)
        assert numbers_of(sink) == list(range(100))
        assert len({(m.epoch, m.id) for m in sink.messages}) == 100
        await spooler.close()

    run(scenario)


def test_an_unreachable_sink_gets_the_same_message_again_and_nothing_overtakes(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3", sleep=no_sleep)
        sink = Remembering(script=[unreachable(), unreachable(), RuntimeError("bug")])
        await fill(spooler, 5)
        await drained(spooler, sink)
        assert numbers_of(sink) == [0, 1, 2, 3, 4]
        await spooler.close()

    run(scenario)


def test_a_message_refused_for_good_is_counted_and_does_not_block(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler, sink = Spooler(tmp_path / "s.sqlite3"), Remembering(script=[refused()])
        await fill(spooler, 3)
        await drained(spooler, sink)
        assert numbers_of(sink) == [1, 2]
        stats = spooler.stats()
        assert (stats["sent"], stats["dropped_by_reason"]) == (2, {"too_large": 1})
        await spooler.close()

    run(scenario)


@pytest.mark.parametrize("size", [8, 900, 2100, 5000, 40_000])
def test_over_quota_the_oldest_go_each_is_counted_and_the_file_stays_within(
    tmp_path: Path, size: int
) -> None:
    async def scenario() -> None:
        path, quota = tmp_path / "s.sqlite3", 262_144
        count = 3 * quota // (size + 16)
        spooler, sink = Spooler(path, max_bytes=quota), Remembering(max_messages=50)
        assert every(await fill(spooler, count, size))
        stats = spooler.stats()
        assert path.stat().st_size <= quota
        assert stats["dropped_by_reason"] == {"quota_oldest": count - stats["spooled"]}
        assert stats["spooled_bytes"] >= quota // 3
        await drained(spooler, sink)
        assert numbers_of(sink) == list(range(stats["dropped"], count))
        await spooler.close()

    run(scenario)


def test_the_refusing_policy_keeps_the_oldest_and_says_no(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3", max_bytes=262_144, policy="refuse")
        taken = await fill(spooler, 600, 1000)
        kept = sum(taken)
        assert taken == [True] * kept + [False] * (600 - kept)
        assert spooler.stats()["refused_by_reason"] == {"quota_refused": 600 - kept}
        sink = Remembering(max_messages=10)
        await drained(spooler, sink)
        assert numbers_of(sink) == list(range(kept))
        assert await spooler.put("t", b"00000600")
        await spooler.close()

    run(scenario)


def test_a_message_in_flight_is_never_the_one_that_is_dropped(tmp_path: Path) -> None:
    class Slow(Remembering):
        release = asyncio.Event()

        async def deliver(self, messages):
            self.changed.set()
            await self.release.wait()
            return await super().deliver(messages)

    async def scenario() -> None:
        spooler, sink = Spooler(tmp_path / "s.sqlite3", max_bytes=262_144), Slow(max_messages=7)
        await fill(spooler, 20, 1000)
        task = asyncio.create_task(spooler.run(sink))
        await sink.changed.wait()
        await fill(spooler, 600, 1000, start=20)
        sink.release.set()
        async with asyncio.timeout(DEADLINE_S):
            while spooler.stats()["spooled"]:
                await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        numbers, stats = numbers_of(sink), spooler.stats()
        assert numbers[:7] == list(range(7))
        assert numbers == sorted(set(numbers))
        assert len(numbers) == stats["sent"] == 620 - stats["dropped"] - stats["refused"]
        await spooler.close()

    run(scenario)


def test_a_message_larger_than_the_quota_allows_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3", max_bytes=262_144)
        assert not await spooler.put("t", bytes(200_000))
        assert await spooler.put("t", bytes(100_000))
        assert spooler.stats()["refused_by_reason"] == {"too_large": 1}
        await spooler.close()

    run(scenario)


def test_in_memory_the_spool_works_and_ends_with_the_process() -> None:
    async def scenario() -> None:
        spooler, sink = Spooler(None), Remembering()
        await fill(spooler, 20)
        await drained(spooler, sink)
        assert numbers_of(sink) == list(range(20))
        await spooler.close()

    run(scenario)


def test_backoff_grows_with_jitter_and_never_beyond_its_cap() -> None:
    waits = [(b := Backoff()) and [b.next_s() for _ in range(40)] for _ in range(20)]

    assert every(0.25 <= w[0] <= 0.5 for w in waits)
    assert every(s <= CAP_S for w in waits for s in w)
    assert every(w[39] >= CAP_S / 2 for w in waits)
    assert len({w[39] for w in waits}) > 1


def test_counters_survive_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "s.sqlite3"
        spooler = Spooler(path, max_bytes=262_144)
        await fill(spooler, 900, 1000)
        before = spooler.stats()
        await spooler.close()
        spooler = Spooler(path, max_bytes=262_144)
        after = spooler.stats()
        keys = ("put", "spooled", "spooled_bytes", "dropped_by_reason")
        assert {k: after[k] for k in keys} == {k: before[k] for k in keys}
        await spooler.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    run(scenario)


def test_of_many_large_messages_only_what_a_batch_takes_is_read(tmp_path: Path) -> None:
    """Hours offline are gigabytes on the disk; what is read once stays in the allocator."""

    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3", max_bytes=64 << 20)
        await fill(spooler, 200, 50_000)
        tracemalloc.start()
        batch = spooler._store.peek(512, 1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(batch) == 20
        assert peak < 1_200_000, peak
        await spooler.close()

    run(scenario)
