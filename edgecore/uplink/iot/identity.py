"""Who this device is to AWS IoT, and where that is: the join file, or V1's ``config.json``.

``fanfold provision`` writes the join file (docs/spec/join-file.md). Whoever owned a V1 core
has ``/greengrass/config/config.json`` with the certificate beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from contract.nesting import json_of

MQTT_PORT, HTTPS_PORT = 8883, 443
ALPN = "x-amzn-mqtt-ca"
"""What AWS IoT wants to be asked for on port 443 (developer guide, "Device communication")."""
VERSIONS = (1,)


class IdentityError(Exception):
    """The file cannot be used; which, why and the remedy, in one line."""


@dataclass(frozen=True, kw_only=True)
class Pem:
    """A PEM text, in the join file itself or in a file of its own."""

    text: str | None = None
    path: Path | None = None

    def read(self) -> bytes:
        """Raises ``OSError`` where it is a file that cannot be read."""
        return self.path.read_bytes() if self.path is not None else (self.text or "").encode()


@dataclass(frozen=True, kw_only=True)
class Identity:
    """``credentials_host`` None: no role alias, no credentials. ``ca`` None: the system's."""

    thing: str
    host: str
    certificate: Pem
    key: Pem
    ca: Pem | None = None
    port: int = MQTT_PORT
    site: str = ""
    region: str = ""
    role_alias: str | None = None
    credentials_host: str | None = None
    credentials_port: int = HTTPS_PORT
    proxy: str | None = None
    jobs: bool = True
    source: str = "join file"


def read_identity(path: Path, *, endpoint: str | None = None, proxy: str | None = None) -> Identity:
    """``endpoint``: ``HOST[:PORT]`` instead of the file's. Raises ``IdentityError``."""
    content = _json(path)
    identity = _of_v1(content, path) if "coreThing" in content else _of_join(content, path)
    if endpoint:
        host, port = host_and_port(endpoint, "--iot-endpoint")
        identity = replace(identity, host=host, port=port or identity.port)
    return replace(identity, proxy=proxy or identity.proxy)


def host_and_port(text: str, what: str) -> tuple[str, int | None]:
    """Raises ``IdentityError``."""
    parts = urlsplit(text if "//" in text else f"//{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path.strip("/"):
        raise IdentityError(f"{what}: {text!r} is not HOST or HOST:PORT")
    return host, port


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json_of(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise IdentityError(f"{path}: no such file; fanfold provision writes it") from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise IdentityError(f"{path}: is not JSON ({error}); copy it again") from error
    if not isinstance(content, dict):
        raise IdentityError(f"{path}: holds no JSON object; fanfold provision writes one")
    return content


def _of_join(content: Mapping[str, Any], path: Path) -> Identity:
    if content.get("v") not in VERSIONS:
        raise IdentityError(
            f"{path}: join file version {content.get('v')!r}; this core reads version 1: "
            "update the core, or provision again with its own fanfold"
        )
    host, port = host_and_port(_text(content, "iot_endpoint", path), f"{path}: iot_endpoint")
    credentials = content.get("credentials_endpoint")
    credentials_host, credentials_port = (
        host_and_port(str(credentials), f"{path}: credentials_endpoint")
        if credentials
        else (None, None)
    )
    return Identity(
        thing=_text(content, "thing", path),
        host=host,
        port=port or int(content.get("iot_port") or MQTT_PORT),
        certificate=_pem(content, "certificate", path),
        key=_pem(content, "key", path),
        ca=_pem(content, "ca", path) if content.get("ca_pem") or content.get("ca_path") else None,
        site=str(content.get("site") or ""),
        region=str(content.get("region") or ""),
        role_alias=content.get("role_alias") or None,
        credentials_host=credentials_host,
        credentials_port=credentials_port or HTTPS_PORT,
        proxy=content.get("proxy") or None,
        jobs=content.get("jobs", True) is not False,
    )


def _of_v1(content: Mapping[str, Any], path: Path) -> Identity:
    """``crypto`` since V1.7, ``coreThing.certPath`` and friends before."""
    core = content.get("coreThing") or {}
    principals = (content.get("crypto") or {}).get("principals") or {}
    own = principals.get("IoTCertificate") or {}
    folder = path.parent.parent / "certs"

    def pem(new: object, old: str) -> Pem:
        text = str(new or "") or str(core.get(old) or "")
        if not text:
            raise IdentityError(f"{path}: names neither crypto nor coreThing.{old}")
        named = Path(unquote(urlsplit(text).path) if text.startswith("file:") else text)
        return Pem(path=named if named.is_absolute() else folder / named)

    ca = (content.get("crypto") or {}).get("caPath") or core.get("caPath")
    return Identity(
        thing=str(core.get("thingArn") or "").rpartition(":thing/")[2],
        host=_text(core, "iotHost", path),
        port=int(core.get("iotMqttPort") or MQTT_PORT),
        certificate=pem(own.get("certificatePath"), "certPath"),
        key=pem(own.get("privateKeyPath"), "keyPath"),
        ca=pem(ca, "caPath") if ca else None,
        region=str(core.get("iotHost") or "").split(".iot.")[-1].split(".")[0],
        proxy=((core.get("networkProxy") or {}).get("proxy") or {}).get("url"),
        jobs=False,
        source="V1 config.json",
    )


def _text(content: Mapping[str, Any], key: str, path: Path) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise IdentityError(f"{path}: {key} is missing; provision the device again")
    return value


def _pem(content: Mapping[str, Any], name: str, path: Path) -> Pem:
    if text := content.get(f"{name}_pem"):
        return Pem(text=str(text))
    if named := content.get(f"{name}_path"):
        return Pem(path=path.parent / str(named))
    raise IdentityError(f"{path}: {name}_pem is missing; provision the device again")
