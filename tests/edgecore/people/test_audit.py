"""The audit log: everything that was done, and as much of what was refused as fits."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgecore.people import audit as room
from edgecore.people.audit import Act, AuditLog


def act(what: str = "POST /api/actions/restart", result: str = "done", **more: object) -> Act:
    facts = {"who": "ann", "role": "operator", "address": "10.0.0.1", **more}
    return Act(what=what, result=result, **facts)  # type: ignore[arg-type]


def test_an_act_says_who_from_where_what_and_what_came_of_it(tmp_path: Path) -> None:
    AuditLog(tmp_path, lambda: 1.5).add(act(status=200, detail={"function": "w0"}, said="Done."))

    (line,) = (tmp_path / "audit" / "acts.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "v": 1, "t": 1.5, "who": "ann", "role": "operator", "from": "10.0.0.1",
        "what": "POST /api/actions/restart", "result": "done", "status": 200, "said": "Done.",
        "detail": {"function": "w0"},
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / "audit" / "acts.jsonl").stat().st_mode) == 0o600


def test_a_flood_of_refusals_pushes_no_act_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FILE_BYTES", 2000)
    log = AuditLog(tmp_path)
    log.add(act("the act"))
    for _ in range(100):
        log.add(act("a guess", "refused"))

    assert "the act" in [a["what"] for a in log.newest(1000)]
    files = sorted(p.name for p in (tmp_path / "audit").glob("refused*"))
    assert files == ["refused.jsonl", "refused.jsonl.1"]


def test_old_acts_go_last_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FILE_BYTES", 1000)
    ticks = iter(range(1000))
    log = AuditLog(tmp_path, lambda: float(next(ticks)))
    for number in range(60):
        log.add(act(f"act {number}"))

    kept = [a["what"] for a in log.newest(1000)]
    assert kept == [f"act {n}" for n in range(59, 59 - len(kept), -1)]
    assert len(list((tmp_path / "audit").glob("acts*"))) == room.FILES[room.ACTS]
    assert [a["what"] for a in log.newest(3)] == ["act 59", "act 58", "act 57"]


def test_a_torn_line_and_a_hostile_one_cost_nothing_but_themselves(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.add(act("first\n\x1b[31m"))
    with (tmp_path / "audit" / "acts.jsonl").open("a") as out:
        out.write('{"t": 1, "wha\n[]\n{"t":"x"}\n')
    log.add(act("second"))

    assert [a["what"] for a in log.newest(10)] == ["second", "first\n\x1b[31m"]


def test_an_act_after_a_power_cut_is_no_part_of_the_torn_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.add(act("before"))
    with (tmp_path / "audit" / "acts.jsonl").open("ab") as file:
        file.write(b'{"v": 1, "t": 3, "wh')
    log.add(act("after"))

    assert [a["what"] for a in log.newest(10)] == ["after", "before"]


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edgecore.people.audit import Act, AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]))\n"
        "for n in range(20): log.add(Act(who='x' * 200, role='', address='', what=str(n), "
        "result='done'))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]

    assert [w.wait(60) for w in writers] == [0, 0, 0]
    assert len(AuditLog(tmp_path).newest(1000)) == 60
