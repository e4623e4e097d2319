"""From the arguments to what guards the HTTP port; refused before anything listens."""

from __future__ import annotations

from edgecore.core.options import CoreError, Web
from edgecore.web.guards import BindRefusedError, Exposure

MIN_PASSWORD_CHARACTERS = 12


def exposure_of(web: Web) -> Exposure:
    """Raises CoreError (exit code 2) for an exposed port without a password and TLS."""
    if (web.certificate is None) != (web.key is None):
        raise CoreError("--http-certificate and --http-key: pass both or neither", exit_code=2)
    exposure = Exposure(
        host=web.host,
        password=_password(web),
        tls=web.certificate is not None,
        names=web.names,
    )
    try:
        exposure.check()
    except BindRefusedError as error:
        raise CoreError(f"--http-host: {error}", exit_code=2) from error
    for path in (web.certificate, web.key):
        if path is not None and not path.is_file():
            raise CoreError(f"{path}: no such file; pass a PEM file", exit_code=2)
    return exposure


def _password(web: Web) -> str | None:
    if web.password_file is None:
        return None
    try:
        password = web.password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CoreError(
            f"--http-password-file {web.password_file}: {error}", exit_code=2
        ) from error
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise CoreError(
            f"--http-password-file {web.password_file}: {len(password)} characters, "
            f"at least {MIN_PASSWORD_CHARACTERS}",
            exit_code=2,
        )
    return password
