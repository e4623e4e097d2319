"""What moto's registry knows of a certificate: its state, its things, its policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from devcloud.auth.keys import ACCOUNT
from devcloud.iot.policy import Context, Document, Request, allows

_SUBJECT = {
    "CommonName": NameOID.COMMON_NAME,
    "Country": NameOID.COUNTRY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "OrganizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "SerialNumber": NameOID.SERIAL_NUMBER,
}


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a TLS connection."""

    certificate: x509.Certificate
    address: str

    @classmethod
    def of(cls, der: bytes, address: str) -> Peer:
        return cls(x509.load_der_x509_certificate(der), address)

    @property
    def certificate_id(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding

        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


class Registry:
    """One region of moto's AWS IoT, as the data plane sees it."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.region, self.account = str(backend.region_name), str(backend.account_id)

    @classmethod
    def all(cls) -> Iterator[Registry]:
        from moto.iot.models import iot_backends

        for backend in list(iot_backends[ACCOUNT].values()):
            yield cls(backend)

    @classmethod
    def knowing(cls, peer: Peer) -> Registry | None:
        """The region where this certificate is registered and active."""
        for registry in cls.all():
            found = registry.backend.certificates.get(peer.certificate_id)
            if found is not None and found.status == "ACTIVE":
                return registry
        return None

    def arn(self, resource: str) -> str:
        return f"arn:aws:iot:{self.region}:{self.account}:{resource}"

    def allows(self, peer: Peer, action: str, resource: str, context: Context) -> bool:
        """Whether the certificate's policies, and those of its thing's groups, let it."""
        return allows(
            self._policies(peer, context), Request(f"iot:{action}", self.arn(resource)), context
        )

    def _policies(self, peer: Peer, context: Context) -> list[Document]:
        targets = {self.arn(f"cert/{peer.certificate_id}")}
        thing = context.get("iot:Connection.Thing.ThingName")
        if isinstance(thing, str):
            targets |= set(self.groups_of(thing))
        return [
            json.loads(text) if isinstance(text := policy.document, str) else text
            for (target, _), (_, policy) in list(self.backend.principal_policies.items())
            if target in targets
        ]

    def groups_of(self, thing: str) -> list[str]:
        """ARNs of the groups that a thing is in, and of theirs."""
        groups = {g.thing_group_name: g for g in list(self.backend.thing_groups.values())}
        found: list[str] = []
        for group in groups.values():
            if any(each.thing_name == thing for each in list(group.things.values())):
                while group is not None and group.arn not in found:
                    found.append(group.arn)
                    group = groups.get(group.parent_group_name)  # noqa: PLW2901
        return found

    def members(self, group_arn: str) -> list[str]:
        """Names of a group's things, its child groups' among them."""
        group = self.backend.thing_groups.get(group_arn)
        if group is None:
            return []
        names = [thing.thing_name for thing in list(group.things.values())]
        for child in list(self.backend.thing_groups.values()):
            if child.parent_group_name == group.thing_group_name:
                names += [name for name in self.members(child.arn) if name not in names]
        return names

    def is_attached(self, peer: Peer, thing: str) -> bool:
        arn = self.arn(f"cert/{peer.certificate_id}")
        return (arn, thing) in self.backend.principal_things

    def thing(self, name: str) -> Any | None:
        return self.backend.things.get(self.arn(f"thing/{name}"))

    def context(
        self, peer: Peer, thing: str | None, client_id: str | None = None
    ) -> dict[str, str | list[str]]:
        """The policy variables of a connection. `thing`: only one that is attached has them."""
        found: dict[str, str | list[str]] = {
            "aws:SourceIp": peer.address,
            "iot:CertificateId": peer.certificate_id,
            "iot:Certificate.SerialNumber": str(peer.certificate.serial_number),
        }
        for name, oid in _SUBJECT.items():
            if values := peer.certificate.subject.get_attributes_for_oid(oid):
                found[f"iot:Certificate.Subject.{name}"] = str(values[0].value)
        if client_id is not None:
            found["iot:ClientId"] = client_id
            found["iot:Connection.Thing.IsAttached"] = "false"
        known = self.thing(thing) if thing and self.is_attached(peer, thing) else None
        if known is not None:
            found["iot:Connection.Thing.ThingName"] = known.thing_name
            found["iot:Connection.Thing.IsAttached"] = "true"
            if known.thing_type:
                found["iot:Connection.Thing.ThingTypeName"] = known.thing_type.thing_type_name
            for name, value in (known.attributes or {}).items():
                found[f"iot:Connection.Thing.Attributes[{name}]"] = str(value)
        return found
