from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from every import every
from small_disks import small_disk_at
from spooling import DEADLINE_S, Remembering, drained, refused, unreachable

from edgecore.uplink.backoff import CAP_S, Backoff
from edgecore.uplink.local_sink import LocalSink
from edgecore.uplink.spooler import Spooler


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 3 * DEADLINE_S))


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def _numbers(sink: Remembering) -> list[int]:
    return [int(m.payload[:8]) for m in sink.messages]


async def _fill(spooler: Spooler, count: int, size: int = 8, start: int = 0) -> list[bool]:
    return await asyncio.gather(
        *(spooler.put("t", b"%08d" % n + bytes(size - 8)) for n in range(start, start + count))
    )


def test_messages_arrive_once_each_in_the_order_they_were_put(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler, sink = Spooler(tmp_path / "s.sqlite3"), Remembering()
        await _fill(spooler, 300)
        await drained(spooler, sink)
        assert _numbers(sink) == list(range(300))
        stats = spooler.stats()
        assert (stats["sent"], stats["spooled"], stats["spooled_bytes"]) == (300, 0, 0)
        await spooler.close()

    run(scenario)


def test_what_was_put_survives_a_restart_with_its_numbers(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, sink = tmp_path / "s.sqlite3", Remembering(max_messages=100)
        for start in (0, 50):
            spooler = Spooler(path)
            await _fill(spooler, 50, start=start)
            await spooler.close()
        spooler = Spooler(path)
        assert spooler.stats()["spooled"] == 100
        await drained(spooler, sink)
        assert _numbers(sink) == list(range(100))
        assert len({(m.epoch, m.id) for m in sink.messages}) == 100
        await spooler.close()

    run(scenario)


def test_an_unreachable_sink_gets_the_same_message_again_and_nothing_overtakes(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3", sleep=no_sleep)
        sink = Remembering(script=[unreachable(), unreachable(), RuntimeError("bug")])
        await _fill(spooler, 5)
        await drained(spooler, sink)
        assert _numbers(sink) == [0, 1, 2, 3, 4]
        await spooler.close()

    run(scenario)


def test_a_message_refused_for_good_is_counted_and_does_not_block(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler, sink = Spooler(tmp_path / "s.sqlite3"), Remembering(script=[refused()])
        await _fill(spooler, 3)
        await drained(spooler, sink)
        assert _numbers(sink) == [1, 2]
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
        assert every(await _fill(spooler, count, size))
        stats = spooler.stats()
        assert path.stat().st_size <= quota
        assert stats["dropped_by_reason"] == {"quota_oldest": count - stats["spooled"]}
        assert stats["spooled_bytes"] >= quota // 3
        await drained(spooler, sink)
        assert _numbers(sink) == list(range(stats["dropped"], count))
        await spooler.close()

    run(scenario)


def test_the_refusing_policy_keeps_the_oldest_and_says_no(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3", max_bytes=262_144, policy="refuse")
        taken = await _fill(spooler, 600, 1000)
        kept = sum(taken)
        assert taken == [True] * kept + [False] * (600 - kept)
        assert spooler.stats()["refused_by_reason"] == {"quota_refused": 600 - kept}
        sink = Remembering(max_messages=10)
        await drained(spooler, sink)
        assert _numbers(sink) == list(range(kept))
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
        await _fill(spooler, 20, 1000)
        task = asyncio.create_task(spooler.run(sink))
        await sink.changed.wait()
        await _fill(spooler, 600, 1000, start=20)
        sink.release.set()
        async with asyncio.timeout(DEADLINE_S):
            while spooler.stats()["spooled"]:
                await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        numbers, stats = _numbers(sink), spooler.stats()
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
        await _fill(spooler, 20)
        await drained(spooler, sink)
        assert _numbers(sink) == list(range(20))
        await spooler.close()

    run(scenario)


PUTTER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from edgecore.uplink.spooler import Spooler
    async def main():
        spooler, number = Spooler(Path(sys.argv[1]), max_bytes=64 << 20), int(sys.argv[2])
        while True:
            group = range(number, number + 8)
            await asyncio.gather(*(spooler.put("t", b"%08d" % n) for n in group))
            print(number + 7, flush=True)
            number += 8
    asyncio.run(main())
""")


def test_no_message_that_was_promised_is_lost_by_kill_9(tmp_path: Path) -> None:
    path, promised, start = tmp_path / "s.sqlite3", -1, 0
    for life in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", PUTTER, str(path), str(start)], stdout=subprocess.PIPE
        )
        assert child.stdout
        for _ in range(5 * life + 1):
            line = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait()
        lines = (line + rest).split(b"\n")
        promised = max([promised, *(int(one) for one in lines[:-1] if one)])
        start = promised + 1

        async def check(promised: int = promised) -> None:
            spooler, sink = Spooler(path, max_bytes=64 << 20), Remembering(max_messages=512)
            rows = spooler.stats()["spooled"]
            batch = spooler._store.peek(10**6, 10**9)  # all rows, left in place
            numbers = [int(m.payload) for m in batch]
            assert len(numbers) == rows
            assert set(range(promised + 1)) <= set(numbers)
            assert [m.id for m in batch] == sorted(m.id for m in batch)
            assert sink.messages == []
            await spooler.close()

        run(check)


def _damage(path: Path, at: float, pages: int = 1) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * at) // 4096 * 4096)
        file.write(os.urandom(4096 * pages))


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.9])
def test_a_damaged_file_is_kept_rescued_from_and_its_gap_reported(tmp_path: Path, at) -> None:
    async def scenario() -> None:
        path = tmp_path / "s.sqlite3"
        spooler = Spooler(path)
        await _fill(spooler, 800, 1000)
        epoch = spooler._store.epoch
        await spooler.close()
        _damage(path, at)

        spooler, sink = Spooler(path), Remembering(max_messages=100)
        stats = spooler.stats()
        await drained(spooler, sink)

        numbers = _numbers(sink)
        assert numbers == sorted(set(numbers))
        assert list(tmp_path.glob("s.sqlite3.corrupt-*"))
        assert stats["rescued"] == len(numbers)
        if at == 0.0:
            assert numbers == []
            assert sink.messages == []
        else:
            ((first, last),) = stats["gaps"]
            missing = set(range(800)) - set(numbers)
            assert missing <= set(range(first - 1, last))
            assert len(missing) <= 20
            assert {m.epoch for m in sink.messages} == {epoch}
        assert await spooler.put("t", b"00000999")
        await spooler.close()

    run(scenario)


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "s.sqlite3").write_bytes(b"this was never a database" * 500)
        spooler = Spooler(tmp_path / "s.sqlite3")
        assert await spooler.put("t", b"00000001")
        await spooler.close()
        (kept,) = tmp_path.glob("s.sqlite3.corrupt-*[0-9]")
        assert kept.read_bytes().startswith(b"this was never")

    run(scenario)


@pytest.fixture
def small_disk(tmp_path: Path):
    with small_disk_at(tmp_path / "disk", 4) as folder:
        yield folder


def test_a_full_disk_never_wedges_the_spool(small_disk: Path) -> None:
    async def scenario() -> None:
        spooler = Spooler(small_disk / "s.sqlite3", max_bytes=16 << 20)
        taken = []
        for start in range(0, 12_000, 200):
            taken += await _fill(spooler, 200, 1000, start=start)
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        taken += await _fill(spooler, 200, 1000, start=12_000)
        stats, sink = spooler.stats(), Remembering(max_messages=64)
        assert stats["spooled"] + stats["refused"] == 12_200
        assert stats["dropped"] == 0, "what was taken is never pushed out by a full disk"
        await spooler.close()
        spooler = Spooler(small_disk / "s.sqlite3", max_bytes=16 << 20)  # a restart, still full
        assert spooler.stats()["spooled"] == stats["spooled"]
        assert stats["refused_by_reason"] == {"disk_full": taken.count(False)}
        await drained(spooler, sink)
        numbers = _numbers(sink)
        assert numbers == sorted(set(numbers))
        assert len(numbers) == stats["spooled"] > 1000
        assert await spooler.put("t", b"00099999")
        await spooler.close()

    run(scenario)


def test_backoff_grows_with_jitter_and_never_beyond_its_cap() -> None:
    waits = [(b := Backoff()) and [b.next_s() for _ in range(40)] for _ in range(20)]

    assert every(0.25 <= w[0] <= 0.5 for w in waits)
    assert every(s <= CAP_S for w in waits for s in w)
    assert every(w[39] >= CAP_S / 2 for w in waits)
    assert len({w[39] for w in waits}) > 1


def _lines(folder: Path) -> list[dict]:
    files = sorted(folder.glob("messages-*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_the_local_sink_writes_json_and_other_payloads_and_rotates(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3")
        sink = LocalSink(tmp_path / "cloud", file_bytes=2000)
        sink.max_messages = 10
        for number in range(100):
            await spooler.put("t", b'{"n":%d}' % number)
        await spooler.put("bin", b"\xff\x00")
        await drained(spooler, sink)
        await sink.close()
        await spooler.close()

    run(scenario)
    lines = _lines(tmp_path / "cloud")
    assert [line["payload"]["n"] for line in lines[:-1]] == list(range(100))
    assert lines[-1]["payload_base64"] == "/wA="
    assert len(list((tmp_path / "cloud").iterdir())) > 2


def test_the_local_sink_takes_a_repeated_batch_once_even_after_a_torn_write(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        spooler, sink = Spooler(tmp_path / "s.sqlite3"), LocalSink(tmp_path / "cloud")
        await _fill(spooler, 20)
        batch = spooler._store.peek(10, 10**6)
        await sink.deliver(batch)
        await sink.close()
        (file,) = sink.files()
        file.write_bytes(file.read_bytes()[:-20])  # the crash tore the last line
        again = LocalSink(tmp_path / "cloud")
        await again.deliver(batch)
        await again.deliver(batch)
        await drained(spooler, again)
        await again.close()
        await spooler.close()

    run(scenario)
    ids = [line["id"] for line in _lines(tmp_path / "cloud")]
    assert ids == list(range(1, 21))


def test_the_local_folder_is_bounded_and_what_it_lost_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s.sqlite3")
        sink = LocalSink(tmp_path / "cloud", file_bytes=1000, folder_bytes=4000)
        sink.max_messages = 5
        await _fill(spooler, 300)
        await drained(spooler, sink)
        await sink.close()
        await spooler.close()
        assert sink.files_dropped > 0
        assert sum(p.stat().st_size for p in sink.files()) <= 5000
        assert _lines(tmp_path / "cloud")[-1]["id"] == 300

    run(scenario)


def test_counters_survive_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "s.sqlite3"
        spooler = Spooler(path, max_bytes=262_144)
        await _fill(spooler, 900, 1000)
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
