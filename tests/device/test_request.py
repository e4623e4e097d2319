"""A key made on the device: OpenSSL reads it, certifies it, and nobody else gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device.install.joining import JoinError
from device.install.layout import Layout
from device.install.request import RequestError, adopt_key, make_request, next_key

THING = "line-3-core"
PYTHON = Path(sys.executable)


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(root=tmp_path / "root")
    made.on(made.settings).mkdir(parents=True)
    return made


def certified(request: Path, folder: Path) -> dict[str, str]:
    """A join file's members, the certificate being an authority's of OpenSSL."""
    key, own = folder / "ca.key", folder / "ca.pem"
    if not own.exists():
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=ca", "-keyout", str(key), "-out", str(own))  # fmt: skip
    out = folder / "certificate.pem"
    openssl("x509", "-req", "-in", str(request), "-CA", str(own), "-CAkey", str(key),
            "-CAcreateserial", "-days", "2", "-out", str(out))  # fmt: skip
    return {"thing": THING, "key_path": f"{THING}.key", "certificate_pem": out.read_text()}


def test_openssl_accepts_the_request_and_the_key_is_its_owners_only(layout: Layout, tmp_path: Path):
    key, csr = layout.on(layout.key(THING)), tmp_path / "x.csr"

    fresh = make_request(PYTHON, THING, key, csr, anew=False)

    said = openssl("req", "-in", str(csr), "-verify", "-noout", "-subject")
    assert fresh
    assert "OK" in said
    assert f"CN = {THING}" in said
    assert openssl("pkey", "-in", str(key), "-pubout") == openssl(
        "req", "-in", str(csr), "-noout", "-pubkey"
    )
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in csr.read_text()


def test_asked_again_the_key_stays_and_the_request_is_for_it(layout: Layout, tmp_path: Path):
    key, csr = layout.on(layout.key(THING)), tmp_path / "x.csr"
    make_request(PYTHON, THING, key, csr, anew=False)
    before = key.read_bytes()

    fresh = make_request(PYTHON, THING, key, csr, anew=False)

    assert (fresh, key.read_bytes()) == (False, before)


def test_a_new_key_takes_the_place_of_the_old_one_with_its_certificate(
    layout: Layout, tmp_path: Path
):
    key, csr = layout.on(layout.key(THING)), tmp_path / "x.csr"
    make_request(PYTHON, THING, key, csr, anew=False)
    old, before = certified(csr, tmp_path), key.read_bytes()
    make_request(PYTHON, THING, next_key(key), csr, anew=True)
    new, following = certified(csr, tmp_path), next_key(key).read_bytes()

    still, untouched = adopt_key(old, tmp_path / "old.join", layout), key.read_bytes()
    taken = adopt_key(new, tmp_path / "new.join", layout)

    assert (still, untouched) == (key, before)
    assert (taken, key.read_bytes(), next_key(key).exists()) == (key, following, False)


def test_a_certificate_for_another_devices_key_is_refused_before_anything_is_done(
    layout: Layout, tmp_path: Path
):
    other, csr = tmp_path / "other.key", tmp_path / "x.csr"
    make_request(PYTHON, THING, other, csr, anew=False)
    join = certified(csr, tmp_path)

    with pytest.raises(JoinError, match=r"not on this device.*install\.sh --csr line-3-core"):
        adopt_key(join, tmp_path / "a.join", layout)
    make_request(PYTHON, THING, layout.on(layout.key(THING)), tmp_path / "y.csr", anew=False)
    with pytest.raises(JoinError, match="certificate is not for the key of this device"):
        adopt_key(join, tmp_path / "a.join", layout)


def test_without_an_interpreter_that_can_make_keys_it_is_said(layout: Layout, tmp_path: Path):
    with pytest.raises(RequestError, match="no key could be made"):
        make_request(Path("/nowhere/python"), THING, tmp_path / "k", tmp_path / "c", anew=False)
