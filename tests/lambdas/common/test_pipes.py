"""A child speaks its protocol alone on standard output, and its end is no error to its parent."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checkout import PROJECT

from lambdas.common.pipes import feed, hang_up

CHATTY = """import os, sys
from lambdas.common.pipes import Answers
answers = Answers()
os.write(1, b"a library's words\\n")
for line in sys.stdin:
    print("more of them", flush=True)
    answers.json({"got": line.strip()})
"""


@pytest.fixture
def child():
    process = subprocess.Popen(
        [sys.executable, "-c", CHATTY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(PROJECT),
        text=True,
    )
    with process:
        yield process
        process.kill()


def test_what_a_library_prints_is_not_among_the_answers(child):
    assert feed(child, "one\n")
    assert child.stdout.readline() == '{"got": "one"}\n'
    assert "a library's words" in child.stderr.readline()


def test_to_feed_a_child_that_has_ended_is_no_error(child):
    child.kill()
    child.wait()

    assert not feed(child, "one\n")
    hang_up(child)
    assert child.stdin.closed
    assert child.stdout.closed


def test_a_child_without_a_pipe_cannot_be_fed():
    process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    with process, pytest.raises(ValueError, match="without a pipe"):
        feed(process, b"x")
