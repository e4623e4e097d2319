"""Certificates of devices for a group that only names them: by ARN, whose end is a fingerprint.

AWS IoT's certificate id is the SHA-256 of the certificate's DER form (docs/spec/mqtt.md), so a
folder of certificate files is enough to know which device each of them belongs to.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecore.sources import api
from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.document import entries_of
from edgecore.sources.errors import MISSING, SourceError

REGISTRY = "aws-iot"
"""In place of a folder: ask AWS IoT's registry for each certificate."""
MAX_FILE_BYTES = 1 << 20
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_DER_SEQUENCE = b"\x30\x82"


def complete(document: dict[str, Any], source: str, cloud: AwsClients) -> None:
    """Add to ``Certificates`` what ``source`` (a folder, or ``aws-iot``) has for the devices.

    Raises SourceError where the folder cannot be read.
    """
    known: dict[str, str] = dict(document.get("Certificates") or {})
    things = [t for t in entries_of(document, "Devices") if t.get("ThingArn") not in known]
    if source == REGISTRY:
        found = api.certificates(cloud, things)
    else:
        found = _matching(things, in_folder(Path(source)))
    document["Certificates"] = {**found, **known}


def _matching(things: list[dict[str, Any]], pems: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for thing in things:
        fingerprint = str(thing.get("CertificateArn") or "").rpartition("/")[2].lower()
        if fingerprint in pems:
            found[thing["ThingArn"]] = pems[fingerprint]
    return found


def in_folder(folder: Path) -> dict[str, str]:
    """PEM by fingerprint (lower-case hex) of every certificate below ``folder``.

    Keys and whatever else lies there are left alone; names do not matter.
    """
    if not folder.is_dir():
        raise SourceError(
            f"--device-certificates {folder}: no such folder; pass the one with the devices' "
            f"certificate files, or {REGISTRY}",
            exit_code=MISSING,
        )
    return {
        hashlib.sha256(der).hexdigest(): ssl.DER_cert_to_PEM_cert(der)
        for path in sorted(folder.rglob("*"))
        for der in _certificates_of(path)
    }


def _certificates_of(path: Path) -> Iterator[bytes]:
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return
        content = path.read_bytes()
    except OSError:
        return
    if content.startswith(_DER_SEQUENCE):
        yield content
        return
    for block in _PEM.findall(content.decode("latin-1")):
        try:
            yield ssl.PEM_cert_to_DER_cert(block)
        except ValueError:
            continue
