"""What every verb owes a person: an example, colours only where they can be seen, errors apart."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from checkout import PROJECT

from fanfold.main import VERBS, build_app
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


def test_the_list_of_verbs_is_written_without_importing_one(capsys) -> None:
    build_app(VERBS)(["--help"], standalone_mode=False)
    of_the_verbs = capsys.readouterr().out
    build_app(())(["--help"], standalone_mode=False)

    assert capsys.readouterr().out.split() == of_the_verbs.split()


HEAVY = ("cv2", "numpy", "boto3", "cryptography", "infra.planning", "edgecore.web", "rich.progress")


@pytest.mark.parametrize("words", ["--help", "--version", "stop", "status", "results", "staus"])
def test_what_asks_little_imports_little(words: str) -> None:
    code = (
        "import sys; from fanfold.main import main; main(sys.argv[2].split());"
        "print(*sorted(set(sys.argv[1].split()) & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(HEAVY), words],
        capture_output=True, text=True, cwd=PROJECT, check=True,
    )  # fmt: skip

    assert done.stderr.splitlines()[-1] == ""


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


WRITES = ["--help", "--version", "plan demo --json"]
"""By rich, by typer, and as a verb's own JSON."""


@pytest.mark.parametrize("words", WRITES)
@pytest.mark.parametrize(
    ("to", "why"), [(">/dev/full", "No space left on device"), (">&-", "is closed")]
)
def test_a_standard_output_that_takes_nothing_is_one_sentence(words: str, to: str, why: str):
    done = in_shell(f"{sys.executable} -m fanfold {words} {to}")

    own = [line for line in done.stderr.splitlines() if not line.startswith("FF")]
    assert done.returncode == 1
    assert own == [
        f"fanfold: standard output: {why}; what was printed is not whole: free space there, or "
        "write it elsewhere (> FILE)"
    ]


@pytest.mark.parametrize("words", WRITES)
def test_a_reader_that_has_what_it_wanted_ends_it_without_a_word(words: str):
    """Its pipe is closed before the first byte, so that every write fails."""
    done = in_shell(
        f"exec 3> >(exec <&-); wait $!; {sys.executable} -m fanfold {words} >&3; echo ended $? >&2"
    )

    own = [line for line in done.stderr.splitlines() if not line.startswith("FF")]
    assert own == ["ended 0"]


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=PROJECT, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
