"""A failed test runs again alone; what passes there is named, and what fails there fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PROJECT

ONCE = """
from pathlib import Path

def test_unsteady():
    mark = Path("mark")
    was = mark.exists()
    mark.touch()
    assert was
"""


PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests")


class Suite:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tests").mkdir()
        (folder / "pytest.ini").write_text("[pytest]\n")

    def holds(self, name: str, text: str) -> None:
        (self.folder / "tests" / f"test_{name}.py").write_text(text)

    def run(self, *options: str) -> tuple[int, str]:
        ran = self.script("test_again", "unit.xml", *PYTEST, *options)
        told = self.script("test_report", "unit.xml", "unit.again.xml")
        return max(ran.returncode, told.returncode), ran.stdout + told.stdout

    def beside(self, program: str) -> subprocess.CompletedProcess[str]:
        """The tests, and another suite."""
        other = ("--", "lint", sys.executable, "-c", program)
        return self.script("test_again", "unit.xml", *PYTEST, *other)

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(PROJECT / "scripts" / name), *arguments]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        return subprocess.run(
            command, cwd=self.folder, env=clean, text=True, capture_output=True, check=False
        )


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_a_test_that_passes_alone_is_named_and_does_not_fail_the_run(suite):
    suite.holds("once", ONCE)
    suite.holds("steady", "def test_steady(): pass")

    code, said = suite.run()

    assert code == 0
    assert "UNSTEADY" in said
    assert "test_once.test_unsteady" in said
    assert "unit: 2 passed, 0 failed" in said


def test_a_test_of_a_group_that_passes_alone_is_known_by_its_name_without_the_group(suite):
    group = 'import pytest\npytestmark = pytest.mark.xdist_group("some_group")\n'
    suite.holds("once", group + ONCE)

    code, said = suite.run("-n", "2", "--dist", "loadgroup")

    assert code == 0
    assert "UNSTEADY" in said
    assert "unit: 1 passed, 0 failed" in said


def test_a_test_that_fails_twice_fails_the_run(suite):
    suite.holds("broken", "def test_broken(): assert not 1")

    code, said = suite.run()

    assert code == 1
    assert "unit: 0 passed, 1 failed" in said
    assert "UNSTEADY" not in said


def test_a_green_run_runs_once(suite):
    suite.holds("steady", "def test_steady(): pass")

    code, said = suite.run()

    assert code == 0
    assert "Once more" not in said


def test_a_file_that_cannot_be_read_is_no_unsteady_test(suite):
    suite.holds("torn", "def test_torn(:")

    assert suite.run()[0] != 0


def test_many_failing_files_are_no_unsteady_tests(suite):
    for number in range(6):
        suite.holds(f"once_{number}", ONCE.replace('"mark"', f'"mark{number}"'))

    code, said = suite.run()

    assert code == 1
    assert "Once more" not in said


MEETS = """
import sys, time
from pathlib import Path

def meets(own, other):
    Path(own).touch()
    end = time.monotonic() + 60
    while not Path(other).exists() and time.monotonic() < end:
        time.sleep(0.02)
    return Path(other).exists()
"""


def test_suites_run_beside_one_another_each_with_its_exit_code_and_cost(suite):
    suite.holds("first", MEETS + "\ndef test_meets(): assert meets('first', 'second')")
    second = MEETS + "\nprint('met') if meets('second', 'first') else None; sys.exit(3)"

    ran = suite.beside(second)

    assert ran.returncode == 3
    assert "1 passed" in ran.stdout
    assert "\nmet\nlint: " in ran.stdout
    assert "\nunit: " in ran.stdout
    assert "\nmachine: " in ran.stdout


def test_what_failed_runs_again_only_when_no_suite_runs_any_more(suite):
    suite.holds("once", ONCE)

    ran = suite.beside(MEETS + "\nmeets('second', 'mark'); print('ended')")

    assert ran.returncode == 0
    assert ran.stdout.index("ended") < ran.stdout.index("Once more, alone")
