"""Things with certificates in a development cloud, made over the public API as a person would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devcloud import DevCloud

IOT = "arn:aws:iot:us-east-1:123456789012"
T = "${iot:Connection.Thing.ThingName}"


def allow(action: Any, *resources: str, **more: Any) -> dict[str, Any]:
    named = [f"{IOT}:{resource}" for resource in resources]
    return {"Effect": "Allow", "Action": action, "Resource": named, **more}


OWN = [
    allow("iot:Connect", f"client/{T}"),
    allow(["iot:Publish", "iot:Receive"], f"topic/$aws/things/{T}/*", f"topic/site/{T}/*",
          f"topic/$aws/rules/*/{T}/*"),
    allow("iot:Subscribe", f"topicfilter/$aws/things/{T}/*", f"topicfilter/site/{T}/*"),
]  # fmt: skip


@dataclass
class Thing:
    """A thing whose private key never left this side."""

    cloud: DevCloud
    name: str
    folder: Path
    certificate_arn: str

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.folder / "private.key"

    @property
    def ca(self) -> Path:
        return self.cloud.ca_file

    @property
    def certificate_id(self) -> str:
        return self.certificate_arn.rpartition("/")[2]

    @property
    def port(self) -> int:
        return self.cloud.iot_port


def csr_of(folder: Path) -> str:
    """A key in the folder, and a request for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "private.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a device")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    signed = request.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def make_thing(
    cloud: DevCloud, folder: Path, name: str, statements: list[dict[str, Any]] | None = None
) -> Thing:
    folder.mkdir(parents=True)
    iot = cloud.client("iot")
    iot.create_thing(thingName=name)
    made = iot.create_certificate_from_csr(
        certificateSigningRequest=csr_of(folder), setAsActive=True
    )
    (folder / "certificate.pem").write_text(made["certificatePem"])
    policy = {"Version": "2012-10-17", "Statement": OWN if statements is None else statements}
    iot.create_policy(policyName=f"p-{name}", policyDocument=json.dumps(policy))
    iot.attach_policy(policyName=f"p-{name}", target=made["certificateArn"])
    iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
    return Thing(cloud, name, folder, made["certificateArn"])


def write_join(path: Path, thing: Thing) -> Path:
    """Beside, then renamed: as `fanfold provision` writes it."""
    content = {
        "v": 1, "thing": thing.name, "site": "site", "region": "us-east-1", "jobs": False,
        "iot_endpoint": f"localhost:{thing.port}", "ca_pem": thing.ca.read_text(),
        "certificate_pem": thing.certificate.read_text(), "key_pem": thing.key.read_text(),
    }  # fmt: skip
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(content))
    draft.replace(path)
    return path
