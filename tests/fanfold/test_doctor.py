"""`fanfold doctor` on a machine with something wrong: it names it, says what to do, ends with 1."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fanfold.checks import ALL

Usage = namedtuple("Usage", "total used free")


def check(fanfold: Any, name: str, *, code: int) -> dict[str, str]:
    """One check of `fanfold doctor demo --json`, whose exit status must be `code`."""
    said = fanfold("doctor", "demo", "--json", "--only", name)
    assert said.code == code, said.out
    (found,) = json.loads(said.out)["checks"]
    assert found["check"] == name
    return dict(found)


@pytest.fixture
def state(fanfold: Any, tmp_path: Path) -> Path:
    return tmp_path / "state" / "core" / "demo"


def test_an_installation_without_mxnet_serves_other_models_and_there_is_no_make(
    fanfold, monkeypatch
) -> None:
    monkeypatch.setattr("fanfold.checks.interpreters.INSTALLED", True)
    monkeypatch.setattr("fanfold.checks.interpreters.has_module", lambda *_: None)
    monkeypatch.setattr("fanfold.verbs.doctor.device_python", lambda: Path(sys.executable))

    assert check(fanfold, "mxnet", code=0)["level"] == "warning"
    numpy = check(fanfold, "numpy", code=1)
    assert "Run `pip install numpy`." in numpy.values()


def test_without_an_interpreter_for_the_functions(fanfold, monkeypatch) -> None:
    monkeypatch.setattr("fanfold.verbs.doctor.device_python", lambda: None)

    found = check(fanfold, "device_python", code=1)
    assert found["level"] == "error"
    assert "make setup" in found["fix"]
    # What could not be looked at is not shown as passed.
    assert check(fanfold, "mxnet", code=0)["level"] == "skipped"


def test_with_another_python_than_3_8(fanfold, monkeypatch) -> None:
    monkeypatch.setattr("fanfold.verbs.doctor.device_python", lambda: Path(sys.executable))

    found = check(fanfold, "device_python", code=0)
    assert found["level"] == "warning"
    assert "a V1 core has 3.8" in found["message"]
    assert check(fanfold, "mxnet", code=1)["level"] == "error"  # nor are the libraries there


def test_with_a_disk_that_is_nearly_full(fanfold, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 99 << 30, 1 << 30))

    found = check(fanfold, "disk_images", code=1)
    assert (found["level"], "1.0 GiB free" in found["message"]) == ("error", True)
    assert "Free at least 2 GiB" in found["fix"]


@pytest.mark.parametrize(
    ("days", "level", "words"), [(-3, "error", "expired"), (10, "warning", "expires in")]
)
def test_with_a_certificate_that_ends(
    fanfold, state: Path, days: int, level: str, words: str
) -> None:
    (state / "ca").mkdir(parents=True)
    (state / "ca" / "server.pem").write_bytes(certificate(days))

    found = check(fanfold, "certificates", code=1 if level == "error" else 0)
    assert found["level"] == level
    assert f"server.pem {words}" in found["message"]
    assert "Restart the core" in found["fix"]


def test_with_a_model_that_was_tampered_with(fanfold, state: Path) -> None:
    model = state / "deployment" / "current" / "models" / "lite0"
    model.mkdir(parents=True)
    (model / "net.params").write_bytes(b"other bytes")
    (model / "model.json").write_text(json.dumps({"files": {"net.params": "0" * 64}}))

    found = check(fanfold, "model_hash", code=1)
    assert (found["level"], found["fix"]) == ("error", "Deploy again.")
    assert "net.params" in found["message"]


def test_with_a_cloud_that_does_not_answer(fanfold, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    found = check(fanfold, "cloud", code=1)
    assert found["level"] == "error"
    assert "127.0.0.1:1" in found["message"]
    assert "check the link" in found["fix"]


def test_a_check_that_breaks_hides_no_other(fanfold, monkeypatch) -> None:
    def broken(_: Path) -> None:
        raise RuntimeError("no such syscall")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    said = fanfold("doctor", "demo", "--json")

    checks = json.loads(said.out)["checks"]
    assert len(checks) == len(ALL) >= 30
    assert "no such syscall" in next(c for c in checks if c["check"] == "disk_state")["message"]


def test_warnings_end_with_1_only_where_that_is_asked_for(fanfold, state: Path) -> None:
    (state / "ca").mkdir(parents=True)
    (state / "ca" / "server.pem").write_bytes(certificate(10))

    only = ("--only", "certificates")
    assert fanfold("doctor", "demo", *only).code == 0
    assert fanfold("doctor", "demo", *only, "--warnings-as-errors").code == 1


def test_an_unknown_check_is_refused_with_the_names_of_all(fanfold) -> None:
    said = fanfold("doctor", "--only", "gpu")

    assert said.code == 2
    assert "disk_images" in said.out + said.err


def certificate(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "core")])
    now = dt.datetime.now(dt.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now + dt.timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
