"""The sink that needs no cloud: files of JSON lines, bounded, each message once."""

from __future__ import annotations

import errno
import json
import tracemalloc
from pathlib import Path

import pytest
from spool_filling import fill, run
from spooling import drained

from edgecore.uplink.local_sink import LocalSink
from edgecore.uplink.sinks import Message, StaleEpoch, Unreachable
from edgecore.uplink.spooler import Spooler


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
        await fill(spooler, 20)
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
        await fill(spooler, 300)
        await drained(spooler, sink)
        await sink.close()
        await spooler.close()
        assert sink.files_dropped > 0
        assert sum(p.stat().st_size for p in sink.files()) <= 5000
        assert _lines(tmp_path / "cloud")[-1]["id"] == 300

    run(scenario)


def _messages(first: int, last: int, size: int = 10) -> list[Message]:
    return [Message("ab", n, "t", b'"%0*d"' % (size, n)) for n in range(first, last + 1)]


def test_a_full_file_is_never_held_in_memory(tmp_path: Path) -> None:
    """Neither when the next one is begun nor when a core starts: a thread's malloc would keep
    15 MB of it for good."""

    async def scenario() -> None:
        sink = LocalSink(tmp_path)
        for number in range(1, 2000, 100):
            await sink.deliver(_messages(number, number + 99, size=10_000))
        assert len(sink.files()) > 1
        assert sink.files()[0].stat().st_size > 16_000_000
        await sink.close()
        sink.files()[-1].unlink()
        for each in (sink, LocalSink(tmp_path)):
            tracemalloc.start()
            await each.deliver(_messages(2001, 2001))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            await each.close()
            assert peak < 500_000, peak

    run(scenario)


def test_an_older_batch_is_known_by_its_content_across_the_end_of_a_file(tmp_path: Path) -> None:
    """A spool that was put back sends what is there already; another one's is said to differ."""

    async def scenario() -> None:
        first = LocalSink(tmp_path, file_bytes=2000)
        for number in range(1, 61, 20):
            await first.deliver(_messages(number, number + 19))
        await first.close()
        assert len(first.files()) > 1
        first.files()[-1].open("ab").close()
        again = LocalSink(tmp_path, file_bytes=2000)
        await again.deliver(_messages(31, 60))
        with pytest.raises(StaleEpoch):
            await again.deliver(_messages(31, 60, size=11))
        await again.deliver(_messages(55, 65))
        await again.close()

    run(scenario)
    assert [line["id"] for line in _lines(tmp_path)] == list(range(1, 66))


def test_a_file_that_a_crash_left_empty_hides_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        first = LocalSink(tmp_path, file_bytes=100)
        await first.deliver(_messages(1, 10))
        await first.close()
        (tmp_path / "messages-000002.jsonl").touch()
        again = LocalSink(tmp_path, file_bytes=100)
        await again.deliver(_messages(1, 12))
        await again.close()

    run(scenario)
    assert [line["id"] for line in _lines(tmp_path)] == list(range(1, 13))


def test_a_file_that_is_removed_while_it_is_written_to_takes_only_what_was_in_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        sink = LocalSink(tmp_path)
        await sink.deliver(_messages(1, 10))
        sink.files()[0].unlink()
        await sink.deliver(_messages(11, 13))
        await sink.close()

    run(scenario)
    assert [line["id"] for line in _lines(tmp_path)] == [11, 12, 13]


def test_a_file_that_is_removed_after_a_write_failed_does_not_hold_up_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario() -> None:
        sink = LocalSink(tmp_path)
        await sink.deliver(_messages(1, 10))
        with monkeypatch.context() as failing:
            failing.setattr("os.fsync", full)
            with pytest.raises(Unreachable):
                await sink.deliver(_messages(11, 13))
        sink.files()[0].unlink()  # to make room
        await sink.deliver(_messages(11, 13))
        await sink.close()

    run(scenario)
    assert [line["id"] for line in _lines(tmp_path)] == [11, 12, 13]


@pytest.mark.parametrize("damage", [b"\0" * 50 + b"}\n", b"[1]\n", b"{}\n"])
def test_a_damaged_last_line_holds_up_nothing(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "messages-000001.jsonl").write_bytes(damage)

    async def scenario() -> None:
        sink = LocalSink(tmp_path)
        await sink.deliver(_messages(1, 3))
        await sink.close()

    run(scenario)
    lines = (tmp_path / "messages-000001.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines[1:]] == [1, 2, 3]
