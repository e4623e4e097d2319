from __future__ import annotations

from pathlib import Path

import pytest

from edgecore.core.options import CoreError, Web
from edgecore.web.exposure import MIN_PASSWORD_CHARACTERS, exposure_of


def test_loopback_needs_nothing() -> None:
    assert exposure_of(Web()).password is None


def test_beyond_loopback_without_password_and_tls_the_core_does_not_start() -> None:
    with pytest.raises(CoreError, match="a password and TLS is missing") as refused:
        exposure_of(Web(host="0.0.0.0"))

    assert refused.value.exit_code == 2


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="both or neither"):
        exposure_of(Web(certificate=tmp_path / "c.pem"))


def test_a_short_password_is_refused_with_its_limit(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("short\n")

    with pytest.raises(CoreError, match=f"5 characters, at least {MIN_PASSWORD_CHARACTERS}"):
        exposure_of(Web(password_file=tmp_path / "p"))


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="No such file"):
        exposure_of(Web(password_file=tmp_path / "p"))


def test_password_and_certificate_open_it(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("correct horse battery\n")
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("x")
    web = Web(
        host="0.0.0.0",
        names=("press7.local",),
        password_file=tmp_path / "p",
        certificate=tmp_path / "c.pem",
        key=tmp_path / "k.pem",
    )

    exposure = exposure_of(web)
    assert exposure.password == "correct horse battery"
    assert "press7.local" in exposure.hosts
