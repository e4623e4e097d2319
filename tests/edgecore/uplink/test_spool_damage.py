"""A spool whose process is killed, whose file is damaged, whose disk is full."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from small_disks import small_disk_at
from spool_filling import fill, numbers_of, run
from spooling import Remembering, drained

from edgecore.uplink.spooler import Spooler

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
        await fill(spooler, 800, 1000)
        epoch = spooler._store.epoch
        await spooler.close()
        _damage(path, at)

        spooler, sink = Spooler(path), Remembering(max_messages=100)
        stats = spooler.stats()
        await drained(spooler, sink)

        numbers = numbers_of(sink)
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
            taken += await fill(spooler, 200, 1000, start=start)
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        taken += await fill(spooler, 200, 1000, start=12_000)
        stats, sink = spooler.stats(), Remembering(max_messages=64)
        assert stats["spooled"] + stats["refused"] == 12_200
        assert stats["dropped"] == 0, "what was taken is never pushed out by a full disk"
        await spooler.close()
        spooler = Spooler(small_disk / "s.sqlite3", max_bytes=16 << 20)  # a restart, still full
        assert spooler.stats()["spooled"] == stats["spooled"]
        assert stats["refused_by_reason"] == {"disk_full": taken.count(False)}
        await drained(spooler, sink)
        numbers = numbers_of(sink)
        assert numbers == sorted(set(numbers))
        assert len(numbers) == stats["spooled"] > 1000
        assert await spooler.put("t", b"00099999")
        await spooler.close()

    run(scenario)
