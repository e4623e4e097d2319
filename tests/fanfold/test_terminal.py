"""What every verb owes a person: an example, colours only where they can be seen, errors apart."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from checkout import PROJECT

from fanfold.reference.commands import commands

COMMANDS = dict(commands())
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3|4|9|10)[0-7](?:;[0-9]+)*m|\x1b\[[34]8;")
"""Bold and dim are no colours: NO_COLOR leaves them."""
ANY_STYLE = re.compile(r"\x1b\[")


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_verb_has_help_with_an_example(fanfold, path: str) -> None:
    said = fanfold(*path.split(), "--help")

    assert said.code == 0
    assert re.search(rf"Example: .*fanfold {path}", " ".join(said.out.split()))


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_example_names_only_options_that_there_are(path: str) -> None:
    command = COMMANDS[path]
    known = {name for parameter in command.params for name in parameter.opts}
    examples = re.findall(r"Example: .*?fanfold (.*)", command.help)
    words = [word for example in examples for word in example.split()]

    assert words
    assert {word for word in words if re.fullmatch(r"--?[a-z].*", word)} <= known


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a command prints when stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "TERM", "FORCE_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "fanfold.main", *arguments],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=PROJECT,
        env={**kept, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:
        pass  # the terminal's other end is closed: everything was read
    finally:
        os.close(ours)
        process.wait(60)
    return said.decode(errors="replace")


def test_colours_on_a_terminal_and_none_with_no_color() -> None:
    assert COLOUR.search(on_a_terminal("plan", "nosuch"))
    assert not COLOUR.search(on_a_terminal("plan", "nosuch", NO_COLOR="1"))


def test_no_colours_into_a_file_and_errors_on_stderr_alone(fanfold) -> None:
    said = fanfold("plan", "demo")
    wrong = fanfold("plan", "nosuch")

    assert not ANY_STYLE.search(said.out + said.err)
    assert (wrong.code, wrong.out) == (2, "")
    assert "nosuch" in wrong.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_its_completion(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fanfold.main", "--show-completion", shell],
        capture_output=True, text=True, cwd=PROJECT, check=False,
        # The shell that is named, not the one that started these tests.
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert f"complete_{shell}" in done.stdout


def test_verbs_are_completed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fanfold.main"],
        capture_output=True, text=True, cwd=PROJECT, check=False,
        env={**os.environ, "_FANFOLD_COMPLETE": "complete_bash", "COMP_WORDS": "fanfold st",
             "COMP_CWORD": "1"},
    )  # fmt: skip

    assert {"status", "stop"} <= set(done.stdout.split())
