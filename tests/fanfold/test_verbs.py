"""What a user types, what comes back, and with which exit code."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from every import every

from fanfold.main import _needed, build_app


def test_an_unknown_verb_is_a_usage_error_without_a_traceback(fanfold):
    said = fanfold("plna")

    assert said.code == 2
    assert "plna" in said.err
    assert "Traceback" not in said.err


def test_plan_explains_every_number_and_exits_with_zero(fanfold):
    said = fanfold("plan", "demo")

    assert said.code == 0
    assert "strategy pinned" in said.out
    assert "because" in said.out


def test_plan_as_json_holds_the_group_the_reasons_and_the_findings(fanfold):
    said = fanfold("plan", "line-3", "--json")
    answer = json.loads(said.out)

    gpu_ids = [
        function["FunctionConfiguration"]["Environment"]["Variables"].get("GPU_ID")
        for function in answer["group"]["Functions"]
        if "Environment" in function["FunctionConfiguration"]
    ]
    assert {"0", "1"} <= set(gpu_ids)
    assert every(reason["why"] for reason in answer["reasons"])


def test_plan_writes_a_group_document_that_the_core_reads(fanfold, tmp_path):
    said = fanfold("plan", "demo", "--document", str(tmp_path / "group.json"))

    assert said.code == 0
    assert json.loads((tmp_path / "group.json").read_text())["Core"]["ThingName"] == "demo-core"


def test_a_site_that_does_not_exist_names_those_that_do(fanfold):
    said = fanfold("plan", "nosuch")

    assert said.code == 2
    assert "demo" in said.err
    assert "line-3" in said.err


def test_everything_wrong_with_a_site_is_said_at_once_with_its_line(fanfold, tmp_path):
    site = tmp_path / "bad.yaml"
    site.write_text(
        "name: bad\nprofile: this-machine\naccount: '1'\nregion: us-east-1\nwrokers: 2\n"
    )
    said = fanfold("plan", str(site))

    assert said.code == 2
    assert "bad.yaml:3" in said.err
    assert "bad.yaml:5" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["send", "x.jpg"],
        ["results"],
        ["logs", "w0"],
        ["drain"],
        ["stop"],
        ["run", "demo"],
    ],
)
def test_without_a_core_or_a_cloud_the_remedy_is_said_with_exit_code_3(fanfold, arguments):
    said = fanfold(*arguments)

    assert said.code == 3
    assert re.search(r"fanfold run (SITE|demo)", said.err)
    assert "Traceback" not in said.err


def test_a_model_that_is_no_archive_is_refused_with_the_remedy(fanfold, tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(b"not an archive")
    said = fanfold("model", "inspect", str(tmp_path / "model.tar.gz"))

    assert said.code == 2
    assert "pack it with `fanfold model pack`" in said.err


def test_a_packed_model_passes_inspection_and_a_tampered_one_does_not(fanfold, tmp_path):
    folder = _model_folder(tmp_path / "model")
    packed = tmp_path / "m.tar.gz"

    assert fanfold("model", "pack", str(folder), "--out", str(packed)).code == 0
    facts = json.loads(fanfold("model", "inspect", str(packed), "--json").out)
    packed.write_bytes(packed.read_bytes()[:-20])

    assert (facts["name"], facts["version"]) == ("noop", "1.0.0")
    assert fanfold("model", "inspect", str(packed)).code == 2


def test_doctor_answers_every_check_and_warns_of_a_taken_port(fanfold):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8883))
            taken.listen()
        except OSError:
            pass  # somebody else has it: just as taken
        checks = json.loads(fanfold("doctor", "demo", "--json").out)["checks"]

    assert len(checks) >= 20
    port = next(c for c in checks if c["check"] == "port_mqtt")
    assert (port["level"], bool(port["fix"])) == ("warning", True)
    assert every(c["fix"] for c in checks if c["level"] in {"warning", "error"})


def test_doctor_says_when_the_profile_asks_for_gpus_that_are_not_here(fanfold):
    if list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has a GPU")
    said = fanfold("doctor", "line-3", "--json")
    gpus = next(c for c in json.loads(said.out)["checks"] if c["check"] == "gpus")

    assert said.code == 1
    assert gpus["level"] == "error"


def _model_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "labels.txt").write_text("part\n")
    model = {
        "v": 1, "name": "noop", "version": "1.0.0", "runtime": "noop", "task": "classification",
        "labels": "labels.txt",
        "input": {"name": "data", "shape": [1, 3, 8, 8], "layout": "NCHW", "colour": "rgb",
                  "mean": [0, 0, 0], "scale": [1, 1, 1], "resize": "stretch",
                  "interpolation": "bilinear"},
        "output": {"softmax": False, "top": 1}, "threshold": 0.5,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(model))
    return folder


def test_every_verb_is_found_by_importing_its_own_module_alone():
    known = {str(c.name) for c in build_app().registered_commands}
    groups = {str(group.name) for group in build_app().registered_groups}

    for verb in known | groups:
        app = build_app(_needed([verb, "--help"]))
        found = {str(c.name) for c in app.registered_commands}
        found |= {str(group.name) for group in app.registered_groups}
        assert verb in found
        assert len(found) <= 2
