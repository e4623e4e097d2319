from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509

from edgecore.mqtt import ca

NAMES = ["localhost", "127.0.0.1"]


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_second_start_changes_nothing(tmp_path: Path) -> None:
    ca.ensure(tmp_path / "ca", names=NAMES)
    before = _read(tmp_path / "ca")
    ca.ensure(tmp_path / "ca", names=NAMES)

    assert _read(tmp_path / "ca") == before


def ends(identity: ca.ServerIdentity) -> datetime:
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    return certificate.not_valid_after_utc


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    ca.ensure(tmp_path / "ca", names=NAMES)

    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "ca").iterdir()}
    assert modes["group-ca-key.pem"] == modes["server-key.pem"] == 0o600


def test_the_server_certificate_is_renewed_before_it_ends_and_the_ca_stays(tmp_path: Path) -> None:
    first_ends = ends(ca.ensure(tmp_path / "ca", names=NAMES))
    before = _read(tmp_path / "ca")

    later = ca.ensure(
        tmp_path / "ca", names=NAMES, now=first_ends - ca.RENEW_BEFORE + timedelta(hours=1)
    )

    after = _read(tmp_path / "ca")
    assert ends(later) > first_ends
    assert after["server.pem"] != before["server.pem"]
    assert after["group-ca.pem"] == before["group-ca.pem"]


def test_a_new_address_of_this_machine_gets_a_certificate_that_names_it(tmp_path: Path) -> None:
    ca.ensure(tmp_path / "ca", names=NAMES)
    before = _read(tmp_path / "ca")["server.pem"]
    ca.ensure(tmp_path / "ca", names=[*NAMES, "192.0.2.7"])

    assert _read(tmp_path / "ca")["server.pem"] != before


def test_a_torn_or_foreign_file_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    for name in ("server.pem", "server-key.pem", "group-ca.pem", "group-ca-key.pem"):
        ca.ensure(folder, names=NAMES)
        (folder / name).write_bytes(b"torn")
        identity = ca.ensure(folder, names=NAMES)

        assert (folder / name).read_bytes() != b"torn"
        assert ends(identity) - ca.RENEW_BEFORE > datetime.now(timezone.utc)


def test_this_machines_own_names_are_found() -> None:
    assert {"localhost", "127.0.0.1"} <= set(ca.local_names())
