"""Acts of the command line, on the timeline of the core that they are done to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgecore.people import audit as room
from edgecore.people.audit import COMMAND_LINE, Act, AuditLog
from edgecore.people.terminal_acts import TerminalActs


def done(state: Path, what: str, detail: dict[str, Any], **more: str) -> None:
    facts = {"who": "local:ann", "role": "admin", "address": COMMAND_LINE, "result": "done", **more}
    AuditLog(state).add(Act(what=what, detail=detail, **facts))  # type: ignore[arg-type]


def test_a_drain_reads_as_one_of_the_page_with_who_did_it(tmp_path: Path) -> None:
    acts = TerminalActs(tmp_path)
    done(tmp_path, "drain", {"on": True, "workers": ["w0", "w1"]})
    done(tmp_path, "drain", {"on": False, "workers": []})

    assert acts.new() == [
        ("operator", "w0, w1", "drained", "local:ann"),
        ("operator", "all workers", "given work again", "local:ann"),
    ]
    assert acts.new() == []


def test_a_user_who_was_added_is_news_and_what_stood_there_before_is_none(tmp_path: Path) -> None:
    done(tmp_path, "user add", {"name": "eve", "role": "admin"})
    acts = TerminalActs(tmp_path)
    done(tmp_path, "user remove", {"name": "eve"})

    assert acts.new() == [("access", "eve", "user remove, at the command line", "local:ann")]


def test_what_came_over_http_failed_or_tells_itself_is_left_to_others(tmp_path: Path) -> None:
    acts = TerminalActs(tmp_path)
    done(tmp_path, "POST /api/actions/drain", {"on": True}, address="127.0.0.1")
    done(tmp_path, "run", {"pid": 1}, result="failed")
    done(tmp_path, "stop", {})

    assert acts.new() == []


def test_no_act_is_missed_when_the_log_begins_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FILE_BYTES", 400)
    acts, told = TerminalActs(tmp_path), []
    for n in range(10):
        done(tmp_path, "drain", {"on": True, "workers": [f"w{n}"]})
        if n % 2:
            told += acts.new()

    assert [subject for _, subject, *_ in told] == [f"w{n}" for n in range(10)]
    assert (tmp_path / "audit" / "acts.jsonl.1").exists()


def test_half_a_line_is_told_when_it_is_whole_and_a_torn_one_never(tmp_path: Path) -> None:
    acts = TerminalActs(tmp_path)
    done(tmp_path, "drain", {"on": True, "workers": ["w0"]})
    log = tmp_path / "audit" / "acts.jsonl"
    whole = log.read_bytes()
    log.write_bytes(b'{"torn\n' + whole[:30])
    assert acts.new() == []
    log.write_bytes(b'{"torn\n' + whole)

    assert [subject for _, subject, *_ in acts.new()] == ["w0"]
