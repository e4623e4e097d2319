"""A core's findings are said when they are new, and counted afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanfold.localcore.findings import news, report
from fanfold.localcore.running import RunningCore

ROOT, LEFT_OUT = "functions run as root", "GGIPDetector is left out"


def core(folder: Path, pid: int = 7) -> RunningCore:
    return RunningCore(folder, {"pid": pid})


def test_each_is_said_once_and_what_comes_later_when_it_comes(tmp_path, capsys):
    report(core(tmp_path), [ROOT])
    report(core(tmp_path), [ROOT])
    report(core(tmp_path), [ROOT, LEFT_OUT])
    said = capsys.readouterr().err

    assert said.count(ROOT) == 1
    assert said.count(LEFT_OUT) == 1
    assert said.count("1 finding: fanfold status") == 2
    assert said.count("2 findings: fanfold status") == 1


def test_a_core_without_findings_says_nothing(tmp_path, capsys):
    report(core(tmp_path), [])

    assert capsys.readouterr().err == ""


def test_one_that_comes_back_is_new_again(tmp_path):
    assert news(core(tmp_path), [ROOT]) == [ROOT]
    assert news(core(tmp_path), []) == []
    assert news(core(tmp_path), [ROOT]) == [ROOT]


def test_a_started_core_says_all_anew(tmp_path):
    news(core(tmp_path), [ROOT])

    assert news(core(tmp_path, pid=8), [ROOT]) == [ROOT]


@pytest.mark.parametrize("kept", [b"", b"\xff\xfe", b"[]", b'{"pid": 7}', b'{"pid": 7, "told": 3}'])
def test_a_damaged_note_is_as_none(tmp_path, kept):
    (tmp_path / "findings-told.json").write_bytes(kept)

    assert news(core(tmp_path), [ROOT]) == [ROOT]


def test_a_folder_that_is_gone_is_told_all(tmp_path):
    assert news(core(tmp_path / "nowhere"), [ROOT]) == [ROOT]
