"""What `--json` prints is what reference/answers.py promises; with a core: tests/edgecore/web."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from fanfold.reference.answers import ANSWERS
from fanfold.verbs.logs import _parsed


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor"],
        ["doctor", "demo"],
        ["plan", "demo"],
        ["plan", "line-3"],
        ["detect"],
        ["devcloud", "status"],
    ],
    ids=" ".join,
)
def test_the_answer_is_of_the_promised_form(fanfold, arguments: list[str]) -> None:
    said = fanfold(*arguments, "--json")
    verb = " ".join(w for w in arguments if w not in {"demo", "line-3"})

    TypeAdapter(ANSWERS[verb]).validate_python(json.loads(said.out))
    assert said.out.count("\n") == 1


def test_a_package_is_described_in_the_promised_form(fanfold, tmp_path: Path) -> None:
    import tarfile

    model = {"v": 1, "name": "m", "version": "1", "runtime": "noop", "task": "classification",
             "input": {"shape": [1, 3, 8, 8]}}  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(model))
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as package:
        package.add(tmp_path / "model.json", "model.json")
    said = fanfold("model", "inspect", str(tmp_path / "m.tar.gz"), "--json")

    TypeAdapter(ANSWERS["model inspect"]).validate_python(json.loads(said.out))


@pytest.mark.parametrize("line", ["text of somebody else", "[1]", '{"t": "no time"}', ""])
def test_a_line_that_is_not_ours_is_a_message(line: str) -> None:
    parsed = _parsed("f", line)

    TypeAdapter(ANSWERS["logs"]).validate_python(parsed)
    assert parsed == {"function": "f", "message": line}
