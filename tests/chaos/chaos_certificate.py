"""The development cloud as the far side of a core that holds a certificate and nothing else: its
policy and its role are the site's own, jobs bring the group, and the outbox needs the lent role."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cable import Cable
from chaos_cloud import OUTBOX, Objects, records_on, stored_in
from chaos_site import NAME, SITE
from credentials_provider import Provider
from own_ca import OwnCa
from things import Thing, csr_of, make_thing

from devcloud import DevCloud
from devcloud import process as devcloud
from infra.targets.iot.names import IotNames
from infra.targets.iot.policy import core_policy, role_statements
from infra.targets.iot.request import group_document

THING: str = SITE["core"]["thing"]
NAMES = IotNames(NAME, SITE["account"], SITE["region"])
#: Of a plant that has this far side.
CERTIFIED = {
    "target": "iot",
    "cloud": {"batch_s": 0.2, "outbox": {"bucket": OUTBOX, "every_s": 0.3}},
}
LENDER = {"Service": "credentials.iot.amazonaws.com"}
NOBODY = {"Service": "lambda.amazonaws.com"}


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _trust(whom: dict[str, str]) -> str:
    return _policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": whom})


class CertificateSide:
    """As ``chaos_cloud.FarSide``, for a plant. ``mqtt`` and ``lending`` are the core's ways to
    AWS IoT and, through ``provider``, to the credentials of its role."""

    def __init__(self, folder: Path, cloud: DevCloud) -> None:
        self.cloud, self._folder = cloud, folder
        self.join = folder / f"{THING}.join"
        self.jobs = 0
        self._iot, self._s3, self._iam = (cloud.client(s) for s in ("iot", "s3", "iam"))
        self._own = OwnCa()
        self.mqtt = Cable(cloud.iot_port)
        self.provider = Provider(
            folder, self._own, trusted=cloud.ca_file.read_text(), upstream=self._lend
        )
        self.lending = Cable(self.provider.port)
        self._documents: dict[str, Any] = {}
        self._objects: Objects = {}
        self.thing: Thing | None = None

    def close(self) -> None:
        for cable in (self.mqtt, self.lending):
            cable.close()
        self.provider.stop()

    # what the site's stack and `fanfold provision` make

    def _provision(self, document: dict[str, Any]) -> None:
        self._documents = document
        for bucket in (NAMES.bucket, OUTBOX):
            self._s3.create_bucket(Bucket=bucket)
        statements = core_policy(document)["Statement"]
        self.thing = make_thing(self.cloud, self._folder / "thing", THING, statements)
        role = self._iam.create_role(
            RoleName=NAMES.role_alias, AssumeRolePolicyDocument=_trust(LENDER)
        )["Role"]["Arn"]
        self._iam.put_role_policy(
            RoleName=NAMES.role_alias, PolicyName="p",
            PolicyDocument=_policy(*role_statements(document)),
        )  # fmt: skip
        self._iot.create_role_alias(roleAlias=NAMES.role_alias, roleArn=role)
        self._write_join(self.thing)

    def _write_join(self, thing: Thing) -> None:
        """Beside, then renamed: as `fanfold provision` writes it."""
        content = {
            "v": 1, "thing": THING, "site": NAME, "region": SITE["region"], "jobs": True,
            "iot_endpoint": f"localhost:{self.mqtt.port}",
            "credentials_endpoint": f"localhost:{self.lending.port}",
            "role_alias": NAMES.role_alias, "ca_pem": thing.ca.read_text() + self._own.pem,
            "certificate_pem": thing.certificate.read_text(), "key_pem": thing.key.read_text(),
        }  # fmt: skip
        draft = self.join.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(content))
        draft.replace(self.join)

    def _lend(self, path: str, thing: str | None) -> tuple[int, bytes]:
        """The development cloud's provider, asked with the device's certificate."""
        own = self.thing
        assert own is not None
        context = ssl.create_default_context(cafile=str(own.ca))
        context.load_cert_chain(own.certificate, own.key)
        asked = http.client.HTTPSConnection("localhost", own.port, context=context, timeout=20)
        asked.request("GET", path, headers={"x-amzn-iot-thingname": thing} if thing else {})
        answer = asked.getresponse()
        status, body = answer.status, answer.read()
        asked.close()
        return status, body

    # what goes wrong

    def trust(self, whom: dict[str, str]) -> None:
        """Who may lend the role to the device."""
        self._iam.update_assume_role_policy(RoleName=NAMES.role_alias, PolicyDocument=_trust(whom))

    def set_certificate(self, status: str, thing: Thing | None = None) -> None:
        thing = thing or self.thing
        assert thing is not None
        self._iot.update_certificate(certificateId=thing.certificate_id, newStatus=status)

    def rotate(self) -> Thing:
        """The same thing with another key and certificate, and a join file that has them; the
        former one, which still counts."""
        was = self.thing
        assert was is not None
        folder = self._folder / f"{was.folder.name}-next"
        folder.mkdir()
        made = self._iot.create_certificate_from_csr(
            certificateSigningRequest=csr_of(folder), setAsActive=True
        )
        (folder / "certificate.pem").write_text(made["certificatePem"])
        self._iot.attach_policy(policyName=f"p-{THING}", target=made["certificateArn"])
        self._iot.attach_thing_principal(thingName=THING, principal=made["certificateArn"])
        self.thing = Thing(self.cloud, THING, folder, made["certificateArn"])
        self._write_join(self.thing)
        return was

    def forbid(self, *topics: str) -> None:
        """No publish on these; nothing: what the site's policy says."""
        denied = [
            {"Effect": "Deny", "Action": "iot:Publish", "Resource": NAMES.arn(f"topic/{topic}")}
            for topic in topics
        ]
        statements = [*core_policy(self._documents)["Statement"], *denied]
        name = f"p-{THING}"
        for version in self._iot.list_policy_versions(policyName=name)["policyVersions"]:
            if not version["isDefaultVersion"]:
                self._iot.delete_policy_version(
                    policyName=name, policyVersionId=version["versionId"]
                )
        self._iot.create_policy_version(
            policyName=name, policyDocument=_policy(*statements), setAsDefault=True
        )

    # deployments

    def deploy(self, document: dict[str, Any], model: Path) -> str:
        """A job for the thing, its artifacts in S3; the deployment's id once it is applied."""
        if self.thing is None:
            self._provision(document)
        self.jobs += 1
        job_id = f"d-{self.jobs}"
        codes = {entry.pop("Code") for entry in document["Lambdas"].values()}
        job = {
            "v": 1, "site": NAME, "issued_at": 1_800_000_000 + self.jobs,
            "code": [
                {"arns": list(document["Lambdas"]), **self._put(Path(code).read_bytes())}
                for code in codes
            ],
            "model": self._put(model.read_bytes()),
        }  # fmt: skip
        for resource in document["Resources"]:
            data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
            if data:
                data["S3Uri"] = job["model"]["uri"]
        job["group"] = self._put(group_document(document))
        self._iot.create_job(
            jobId=job_id, targets=[NAMES.arn(f"thing/{THING}")], document=json.dumps(job)
        )
        return f"job-{job_id}-1"

    def _put(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        key = f"artifacts/{digest}"
        self._s3.put_object(Bucket=NAMES.bucket, Key=key, Body=content)
        return {"uri": f"s3://{NAMES.bucket}/{key}", "sha256": digest, "size": len(content)}

    def execution(self) -> dict[str, Any]:
        """Of the last job on this thing: ``status``, ``reason`` and the rest of its details."""
        found = self._iot.describe_job_execution(jobId=f"d-{self.jobs}", thingName=THING)
        details = found["execution"].get("statusDetails", {}).get("detailsMap", {})
        return {**details, "status": found["execution"]["status"]}

    # what arrived

    def records(self) -> list[dict[str, Any]]:
        return records_on(self.cloud, f"fanfold/{NAME}/{THING}/results")

    def stored(self) -> list[dict[str, Any]]:
        """The outbox: an object stays as it was written, and its key names the epoch."""
        self._objects = stored_in(self._s3, self._objects)
        return [
            {**record, "epoch": key.partition("/epoch=")[2].partition("/")[0]}
            for key, records in self._objects.items()
            for record in records
        ]


@contextmanager
def certificate_side(folder: Path) -> Iterator[tuple[CertificateSide, tuple[str, ...]]]:
    """And the arguments by which a core joins it."""
    cloud = devcloud.start(port=0, state_dir=folder / "devcloud")
    side = CertificateSide(folder, cloud)
    try:
        arguments = ("--join", str(side.join), "--endpoint-url", cloud.url)
        yield side, (*arguments, "--function-user", "root")
    finally:
        side.close()
        cloud.stop()
