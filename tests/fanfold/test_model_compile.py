from __future__ import annotations

import json
import subprocess

import pytest

from fanfold.common.project import PROJECT
from fanfold.device import compiling
from fanfold.device.interpreters import device_python
from fanfold.reference.answers import ModelCompileAnswer
from models.package import pack

KIT = """
import sys
from pathlib import Path
sys.path[:0] = [{project!r}, {project!r} + "/tests/kit/lambdas", {project!r} + "/tests/kit"]
from inference_kit import photo
from ssd_kit import write_photos, write_ssd
write_ssd(Path({folder!r}) / "ssd")
write_photos(Path({folder!r}) / "photos", photo)
"""
MODEL = {
    "v": 1,
    "name": "tiny",
    "version": "1.0.0",
    "runtime": "mxnet",
    "task": "classification",
    "symbol": "s.json",
    "params": "p.params",
    "input": {"shape": [1, 3, 8, 8]},
}


@pytest.fixture
def tiny(tmp_path):
    """A package whose content is none, and a folder of images that is empty."""
    for name in ("s.json", "p.params"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "photos").mkdir()
    return pack(tmp_path, MODEL, tmp_path / "tiny.tar.gz").path


def test_a_small_ssd_becomes_int8_for_openvino_and_what_it_costs_and_gains_is_told(
    fanfold, tmp_path
):
    python = device_python()
    if python is None:
        pytest.skip("no device interpreter (.venv-device): `make setup` makes it")
    code = KIT.format(project=str(PROJECT), folder=str(tmp_path))
    subprocess.run([str(python), "-c", code], check=True, capture_output=True, timeout=120)
    manifest = json.loads((tmp_path / "ssd" / "model.json").read_text())
    packed = pack(tmp_path / "ssd", manifest, tmp_path / "ssd.tar.gz").path
    out = tmp_path / "made.tar.gz"
    said = fanfold(
        "model", "compile", str(packed), "--to", "openvino", "--int8", "--calibrate",
        str(tmp_path / "photos"), "--min-agreement", "0.5", "--out", str(out),
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "boxes found again" in said.out
    assert "ms per image, one thread, this machine" in said.out
    assert "calibrate …" in said.err
    told = json.loads(fanfold("model", "inspect", str(out), "--json").out)
    assert (told["runtime"], told["version"]) == ("openvino", "1.0.0-openvino-int8")
    assert told["footprint"]["memory_kb"] > 0
    refused = tmp_path / "refused.tar.gz"
    said = fanfold(
        "model", "compile", str(packed), "--to", "onnxruntime", "--int8", "--calibrate",
        str(tmp_path / "photos"), "--min-agreement", "1", "--out", str(refused), "--json",
    )  # fmt: skip
    assert said.code == 1
    answer = ModelCompileAnswer.model_validate_json(said.out)
    assert (answer.package, answer.speed) == (None, None)
    assert answer.agreement.counted > 100
    assert "below --min-agreement 1" in said.err
    assert "Nothing was written" in said.err
    assert not refused.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "tensorrt", "--calibrate", "photos"), "use one of mxnet, onnxruntime, openvino"),
        (("--to", "openvino", "--calibrate", "nowhere"), "nowhere: no such folder"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(fanfold, tiny, monkeypatch, options, message):
    monkeypatch.chdir(tiny.parent)
    said = fanfold("model", "compile", str(tiny), *options)
    assert said.code == 2
    assert message in said.err


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    fanfold, tiny, monkeypatch
):
    monkeypatch.setitem(compiling.NEEDS, "openvino", ("json", "no_such_runtime"))
    monkeypatch.setitem(compiling.NEEDS, "mxnet", ())
    monkeypatch.setattr(compiling, "device_python", lambda: PROJECT / ".venv/bin/python")
    folder = str(tiny.parent / "photos")
    said = fanfold("model", "compile", str(tiny), "--to", "openvino", "--calibrate", folder)
    assert said.code == 3
    assert "lacks no_such_runtime" in said.err
    assert "pip install -r" in said.err
    assert "requirements-device-runtimes.txt" in said.err


def test_what_the_compiler_says_of_a_broken_model_reaches_the_user(fanfold, tiny):
    if device_python() is None:
        pytest.skip("no device interpreter (.venv-device): `make setup` makes it")
    folder = str(tiny.parent / "photos")
    said = fanfold("model", "compile", str(tiny), "--to", "openvino", "--calibrate", folder)
    assert said.code == 1
    assert "none of its 0 files is an image" in said.err
