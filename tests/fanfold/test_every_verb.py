"""Every verb, by the table of the command line itself: help that teaches, and no traceback.

What is given is what people give by mistake: a name that is nowhere, a folder for a file, an empty
file, bytes that are no text, a path that cannot be followed, a name with an escape sequence.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from every import every

from fanfold.common.errors import FAILED, UserError
from fanfold.main import EXIT_CODES, build_app
from fanfold.reference.commands import commands

COMMANDS = dict(commands())
APP = functools.cache(build_app)
ESCAPE = "\u001b[31mred"
BAD = ("nosuch", "a-folder.yaml", "empty.yaml", "bytes.yaml", ESCAPE)
BAD_FILES = ("a-folder.yaml", "bytes.tar.gz", "loop/x", ESCAPE)
#: What these verbs do with a name that is free: they make something of it.
MAKES = {"init": "tests/fanfold/test_init.py", "detect": "tests/fanfold/test_detect.py"}
#: They look at the machine instead of what they are given, for seconds.
SLOW = {"doctor", "demo"}


@pytest.fixture(autouse=True)
def one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of verbs is made once, and not for each line."""
    monkeypatch.setattr("fanfold.main.build_app", APP)


class StartedError(UserError):
    """A process would begin: what was given was taken."""


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No process, no credentials, no cloud; a folder with what is named by mistake."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise StartedError("it would start a process", FAILED)

    monkeypatch.setattr(os, "execve", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-folder.yaml").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "other").write_bytes(b"what the rest of a line names is there")
    for name in ("empty.yaml", ESCAPE):
        (tmp_path / name).write_bytes(b"")
    for name in ("bytes.yaml", "bytes.tar.gz"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 8)


def is_number(parameter: Any) -> bool:
    return parameter.type_descriptor.annotation in (int, float)


def words(parameter: Any, value: str) -> list[str]:
    if parameter.param_type_name == "argument":
        return [value]
    return [f"{parameter.opts[0]}={value}"]


def lines(path: str) -> list[list[str]]:
    """Each needed argument and option bad in turn, and each optional file."""
    given = [p for p in COMMANDS[path].params if not getattr(p, "is_flag", False)]
    needed = [p for p in given if p.required]
    wanted = [*needed, *(p for p in given if not p.required and is_path(p))]
    found = []
    for parameter in wanted:
        values = BAD if parameter.required else BAD_FILES
        for value in ("x",) if is_number(parameter) else values:
            rest = [w for p in needed if p is not parameter for w in words(p, plain(p))]
            found.append([*path.split(), *rest, *words(parameter, value)])
    return found


def is_path(parameter: Any) -> bool:
    return "Path" in str(parameter.type_descriptor.annotation)


def plain(parameter: Any) -> str:
    if parameter.name == "site":
        return "demo"
    return "1" if is_number(parameter) else "other"


@pytest.mark.parametrize("path", sorted(set(COMMANDS) - set(MAKES) - SLOW))
def test_a_bad_word_is_a_sentence_and_an_exit_code(fanfold, nothing_starts, path):
    for line in lines(path):
        said = fanfold(*line)
        everything = said.out + said.err

        assert said.code in range(5), line
        assert "Traceback" not in everything, line
        assert not re.search(r"fanfold: \w+(Error|Exception|Input): ", everything), (line, said.err)
        assert "\u001b" not in everything, line
        assert said.code == 0 or said.err.strip(), f"{line}: silent, exit code {said.code}"


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_help_teaches_with_an_example_and_the_exit_codes(fanfold, monkeypatch, path):
    monkeypatch.setenv("COLUMNS", "300")
    said = fanfold(*path.split(), "--help")

    assert said.code == 0
    assert re.search(r"Example: .*\bfanfold ", said.out)
    assert EXIT_CODES in " ".join(said.out.split())


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_the_example_is_of_this_verb_with_options_that_it_has(path):
    example = re.search(r"Example: .*\b(fanfold [^\n|)]*)", COMMANDS[path].help)
    typed = shlex.split(example[1])[1:]
    known = {option for parameter in COMMANDS[path].params for option in parameter.opts}

    assert typed[: len(path.split())] == path.split()
    assert {word.partition("=")[0] for word in typed if word.startswith("-")} <= known


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_an_option_that_is_not_there_is_named_with_what_resembles_it(fanfold, path):
    options = [p for p in COMMANDS[path].params if p.param_type_name == "option"]
    longest = max((name for p in options for name in p.opts), key=len, default="--help")
    near, far = fanfold(*path.split(), longest[:-1] + "z"), fanfold(*path.split(), "--qqqqq")

    assert (near.code, far.code) == (2, 2)
    assert longest in near.err
    assert f"fanfold {path} --help" in far.err


def test_a_folder_that_a_verb_makes_itself_has_a_test_of_its_own():
    assert every(Path(__file__).parents[2].joinpath(test).is_file() for test in MAKES.values())
