"""What `--json` prints is what reference/answers.py promises; with a core: tests/edgecore/web."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from fanfold.reference.answers import ANSWERS
from fanfold.verbs.logs import _parsed
from models import signing


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
    said = fanfold("model", "inspect", str(packed(tmp_path)), "--json")

    TypeAdapter(ANSWERS["model inspect"]).validate_python(json.loads(said.out))


def test_a_signed_package_names_the_key_that_a_device_is_given(fanfold, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    said = fanfold("model", "sign", str(packed(tmp_path)), "--key", str(key), "--new-key", "--json")
    answer = json.loads(said.out)

    TypeAdapter(ANSWERS["model sign"]).validate_python(answer)
    assert answer["public_key"] == signing.public_key(key)


def packed(folder: Path) -> Path:
    model = {"v": 1, "name": "m", "version": "1", "runtime": "noop", "task": "classification",
             "input": {"shape": [1, 3, 8, 8]}}  # fmt: skip
    (folder / "model.json").write_text(json.dumps(model))
    with tarfile.open(folder / "m.tar.gz", "w:gz") as package:
        package.add(folder / "model.json", "model.json")
    return folder / "m.tar.gz"


@pytest.mark.parametrize("verb", ["import", "migrate"])
def test_a_group_from_elsewhere_is_described_in_the_promised_form(
    fanfold, tmp_path: Path, verb: str
) -> None:
    group = tmp_path / "group.json"
    planned = fanfold("plan", "demo", "--document", str(group))
    assert planned.code == 0, planned.err
    made = tmp_path / ("group" if verb == "import" else "demo.yaml")
    said = fanfold(verb, str(group), str(made), "--json")
    answer = json.loads(said.out)

    TypeAdapter(ANSWERS[verb]).validate_python(answer)
    assert Path(answer["group"] if verb == "import" else answer["site"]).is_file()
    assert Path(answer["report"]).is_file()


@pytest.mark.parametrize("line", ["text of somebody else", "[1]", '{"t": "no time"}', ""])
def test_a_line_that_is_not_ours_is_a_message(line: str) -> None:
    parsed = _parsed("f", line)

    TypeAdapter(ANSWERS["logs"]).validate_python(parsed)
    assert parsed == {"function": "f", "message": line}


def test_the_development_cloud_answers_a_script(fanfold, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FANFOLD_STATE", str(tmp_path))

    def answered(*words: str) -> dict[str, Any]:
        said = fanfold("devcloud", *words, "--json")
        assert said.code == 0, said.err
        answer = json.loads(said.out)
        TypeAdapter(ANSWERS[f"devcloud {words[0]}"]).validate_python(answer)
        return dict(answer)

    started = answered("start", "--port", "0")
    variables = answered("env")["variables"]
    stopped = answered("stop")

    assert variables["AWS_ENDPOINT_URL"] == started["url"]
    assert stopped == {"v": 1, "url": started["url"], "pid": started["pid"], "stopped": True}
    assert fanfold("devcloud", "status").code == 3
