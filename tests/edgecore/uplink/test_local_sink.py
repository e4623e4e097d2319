"""The sink that needs no cloud: files of JSON lines, bounded, each message once."""

from __future__ import annotations

import json
from pathlib import Path

from spool_filling import fill, run
from spooling import drained

from edgecore.uplink.local_sink import LocalSink
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
