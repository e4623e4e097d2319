"""What a function is that its source only names: told from its code, and said in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME
from fanfold.importing.guessing import guess

PYTHON = "import os\ndef function_handler(event, context):\n    pass\n"


@pytest.mark.parametrize(
    ("name", "content", "executable", "expected"),
    [
        ("greet.py", PYTHON, "", ("greet.function_handler", "python3.8")),
        ("greet.py", "def greet(e, c): pass\n", "greet.greet", ("greet.greet", "python3.8")),
        ("index.js", "exports.run = (e) => e;\n", "", ("index.run", "nodejs12.x")),
        ("app.js", "module.exports = {go};\n", "app.go", ("app.go", "nodejs12.x")),
        ("reader", "\x7fELF\n", "reader", ("reader", EXECUTABLE_RUNTIME)),
        ("read.me", "nothing\n", "", ("main.handler", "python3.8")),
    ],
)
def test_its_code_says_what_it_is(
    tmp_path: Path, name: str, content: str, executable: str, expected: tuple[str, str]
) -> None:
    (tmp_path / name).write_text(content)
    entry: dict = {"FunctionName": "f", "Handler": None, "Runtime": None}
    notes: list[str] = []

    guess(entry, executable, tmp_path, notes)

    assert (entry["Handler"], entry["Runtime"]) == expected
    assert "correct them in group.json" in notes[0]


def test_what_the_source_says_is_kept(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text(PYTHON)
    entry = {"FunctionName": "f", "Handler": "a.b", "Runtime": "python2.7"}

    guess(entry, "greet.py", tmp_path, notes := [])

    assert (entry["Handler"], entry["Runtime"], notes) == ("a.b", "python2.7", [])
