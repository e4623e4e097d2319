"""Rules that every verb keeps: one table over all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fanfold.common.errors import UserError
from fanfold.common.inputs import images_of
from fanfold.common.output import printable
from fanfold.localcore.naming import one_or_none, site_and_words
from fanfold.reference.answers import ANSWERS
from fanfold.reference.commands import commands
from fanfold.sending.records import line_of

COMMANDS = dict(commands())
OF_A_SITE = (
    "plan", "provision", "deploy", "destroy", "diff", "rollback", "run", "status", "send",
    "publish", "results", "trace", "logs", "drain", "stop", "tune", "doctor",
)  # fmt: skip
JSON_ASKED_FOR = (
    "deploy", "destroy", "provision", "run", "stop", "bench", "model pack", "publish",
)  # fmt: skip


def options(command: Any) -> dict[str, list[str]]:
    return {p.name: [*p.opts] for p in command.params if p.param_type_name == "option"}


@pytest.mark.parametrize("verb", OF_A_SITE)
def test_the_site_is_the_first_word(verb: str) -> None:
    first = next(p for p in COMMANDS[verb].params if p.param_type_name == "argument")

    assert first.name == "site" or str(first.metavar).startswith("[SITE]")


@pytest.mark.parametrize("verb", JSON_ASKED_FOR)
def test_what_changes_something_answers_as_json(verb: str) -> None:
    assert ["--json"] in options(COMMANDS[verb]).values()


@pytest.mark.parametrize("verb", COMMANDS)
def test_json_is_promised_exactly_where_it_is_printed(verb: str) -> None:
    assert (["--json"] in options(COMMANDS[verb]).values()) == (verb in ANSWERS)


@pytest.mark.parametrize("verb", COMMANDS)
def test_waiting_has_one_word(verb: str) -> None:
    given = options(COMMANDS[verb])

    for name, words in given.items():
        if "wait" in name or "timeout" in name:
            assert words[0] == "--wait-s"


@pytest.mark.parametrize("verb", ["plna", "statu", "sned", "alerts tst", "user ad", "model nwe"])
def test_an_unknown_verb_is_answered_with_the_nearest(fanfold, verb: str) -> None:
    said = fanfold(*verb.split())

    assert said.code == 2
    assert "did you mean" in said.err


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_has_an_example(fanfold, verb: str) -> None:
    said = fanfold(*verb.split(), "--help")

    assert said.code == 0
    assert "Traceback" not in said.out + said.err


def test_a_folder_is_searched_below_and_files_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("b/deep/2.PNG", "a/1.jpg", "a/notes.txt", "a/3.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/folder.jpg").mkdir()

    found = images_of([tmp_path, tmp_path / "a/notes.txt"])
    names = [str(path.relative_to(tmp_path)) for path in found]
    assert names == ["a/1.jpg", "a/3.bmp", "b/deep/2.PNG", "a/notes.txt"]


def test_what_a_folder_holds_beside_images_is_said(tmp_path: Path, capsys) -> None:
    for name in ("1.jpg", "a/frame.raw", "clip.mp4", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [path.name for path in images_of([tmp_path])] == ["1.jpg"]
    said = " ".join(capsys.readouterr().err.split())
    assert "2 file(s) without an image's ending left out: a/frame.raw, clip.mp4;" in said


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_images_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(UserError, match=name):
        images_of([tmp_path / name])


@pytest.mark.parametrize(
    ("words", "option", "site", "rest"),
    [
        (["demo", "w0"], None, "demo", ["w0"]),
        (["w0", "w1"], None, None, ["w0", "w1"]),
        (["w0"], "demo", "demo", ["w0"]),
        (["demo"], None, "demo", []),
        (["cam1/41"], None, None, ["cam1/41"]),
        ([], None, None, []),
    ],
)
def test_the_first_word_is_the_site_where_one_has_that_name(
    words: list[str], option: str | None, site: str | None, rest: list[str]
) -> None:
    assert site_and_words(words, option) == (site, rest)


def test_a_word_too_many_is_refused() -> None:
    with pytest.raises(UserError, match="one function at most"):
        one_or_none(["w0", "w1"], "function")


ESCAPES = "\x1b]0;owned\x07 \x9b31m \x7f \u202egpj.exe"


def test_no_control_character_of_a_label_reaches_a_terminal(fanfold, tmp_path: Path) -> None:
    said = fanfold("plan", str(tmp_path / f"{ESCAPES}.yaml"))
    record = {"stream": "cam1", "seq": 1, "status": "failed", "reason": ESCAPES, "file": ESCAPES}

    for text in (said.out, said.err, printable(line_of(record))):
        assert not {"\x1b", "\x07", "\x9b", "\x7f", "\u202e"} & set(text)
    assert "owned" in said.err


def test_a_file_name_writes_no_line_of_its_own(capfd, tmp_path: Path) -> None:
    (tmp_path / "a\n3 accepted, 0 rejected.raw").write_bytes(b"raw")
    (tmp_path / "b.jpg").write_bytes(b"picture")

    assert images_of([tmp_path]) == [tmp_path / "b.jpg"]
    said = capfd.readouterr().err
    assert "a\\x0a3 accepted, 0 rejected.raw" in said
    assert "\n3 accepted" not in said


def test_json_holds_what_a_label_holds_and_no_terminal_acts_on_it(capfd) -> None:
    import json

    from fanfold.common.output import print_json

    print_json({"label": ESCAPES})
    printed = capfd.readouterr().out
    assert json.loads(printed) == {"label": ESCAPES}
    assert printed.strip().isprintable()


def test_a_result_shows_its_time_and_its_file() -> None:
    record = {
        "stream": "cam1",
        "seq": 7,
        "status": "failed",
        "reason": "truncated",
        "detail": "3000 bytes",
        "file": "cam1/6a-000001-broken.jpg",
        "t_in": 1.79e9,
    }

    shown = line_of(record)
    assert "broken.jpg  failed: truncated: 3000 bytes" in shown
    assert shown[2] == shown[5] == ":"
