"""Certificates and keys: made once, kept private, recorded where the planner finds them.

The order makes every step safe to repeat: key and certificate on disk, then the policy,
then the ARN in the site's certificates file. What was torn before the last step is
finished, or made anew, by the next call.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecore.disk.whole_file import write_whole
from fanfold.common.errors import INVALID, UserError
from fanfold.provision.policies import Policy
from fanfold.provision.requests import Request, refuse_other_key

KEY, CERTIFICATE, REQUEST = "private.pem.key", "certificate.pem.crt", "request.csr"
FORMER = "former-certificates.txt"
"""ARNs that go on serving a device until it has its new join file, one a line."""


@dataclass(frozen=True)
class Provisioned:
    """What happened to one thing; `what` is `kept`, `made`, `rotated` or `removed`."""

    thing: str
    what: str
    certificate_arn: str


class Identities:
    """The identities of one site.

    `client` is boto3's IoT client; `folder` takes keys (0600) and certificates, one folder a
    thing; `record` is the JSON file thing → certificate ARN, which may be committed.
    """

    def __init__(self, client: Any, folder: Path, record: Path) -> None:
        self._client = client
        self._folder = folder
        self._record = record
        self.arns: dict[str, str] = _read(record)

    def ensure(
        self,
        thing: str,
        policy: Policy | None,
        *,
        rotate: bool = False,
        request: Request | None = None,
        keep_former: bool = False,
    ) -> Provisioned:
        """A usable certificate for `thing`; an existing one is kept unless `rotate`.

        `keep_former`: one that is replaced serves until `retire_former`, as its key is elsewhere.

        `policy` None: it is attached by who knows it. `request`: for a key that stays on the
        device; the same request again changes nothing. Raises UserError.
        """
        old = self.arns.get(thing)
        usable = old is not None and self.is_active(old) and self._is_held(thing, request)
        if old is not None and usable and not rotate:
            self._grant(thing, old, policy)
            return Provisioned(thing, "kept", old)
        arn = self._certified(thing, request)
        self._grant(thing, arn, policy)
        self.arns[thing] = arn
        self._write_record()
        if old is not None and keep_former:
            self._note_former(thing, [*self.former(thing), old])
        elif old is not None:
            self._retire(thing, old)
        return Provisioned(thing, "rotated" if old else "made", arn)

    def former(self, thing: str) -> list[str]:
        """Certificates that were replaced and still serve."""
        try:
            return (self._folder / thing / FORMER).read_text(encoding="ascii").split()
        except FileNotFoundError:
            return []

    def retire_former(self, thing: str) -> list[str]:
        """Deactivate and delete what was replaced; its ARNs."""
        gone = self.former(thing)
        for arn in gone:
            self._retire(thing, arn)
        (self._folder / thing / FORMER).unlink(missing_ok=True)
        return gone

    def _note_former(self, thing: str, arns: list[str]) -> None:
        text = "".join(f"{arn}\n" for arn in arns)
        write_whole(self._folder / thing / FORMER, text.encode("ascii"))

    def _is_held(self, thing: str, request: Request | None) -> bool:
        """Whether the certificate that lies here is for a key that somebody still has."""
        kept = self._folder / thing / REQUEST
        if request is not None:
            return kept.exists() and kept.read_text(encoding="ascii") == request.pem
        return kept.exists() or (self._folder / thing / KEY).exists()

    def _certified(self, thing: str, request: Request | None) -> str:
        """The ARN of a new certificate, which lies in the thing's folder when this returns."""
        if request is not None:
            made = self._client.create_certificate_from_csr(
                certificateSigningRequest=request.pem, setAsActive=True
            )
            refuse_other_key(request, made["certificatePem"])
            self._keep(thing, made["certificatePem"], REQUEST, request.pem)
        elif (self._folder / thing / REQUEST).exists():
            raise UserError(
                f"{thing}: its key was made on the device and is not here. Make a new request "
                f"there (sudo ./install.sh --csr {thing} --new-key), and give it with --csr.",
                INVALID,
            )
        else:
            made = self._client.create_keys_and_certificate(setAsActive=True)
            self._keep(thing, made["certificatePem"], KEY, made["keyPair"]["PrivateKey"])
        return str(made["certificateArn"])

    def remove(self, thing: str) -> Provisioned | None:
        """Deactivate and delete; keys and record go last. None where there was nothing."""
        arn = self.arns.get(thing)
        if arn is None:
            return None
        self.retire_former(thing)
        self._retire(thing, arn)
        self._ignore_missing(self._client.delete_policy, policyName=_policy_name(thing))
        for name in (KEY, CERTIFICATE, REQUEST):
            (self._folder / thing / name).unlink(missing_ok=True)
        del self.arns[thing]
        self._write_record()
        return Provisioned(thing, "removed", arn)

    def attach_things(self) -> list[str]:
        """Attach each certificate to its thing; returns things that do not exist yet."""
        missing = []
        for thing, arn in self.arns.items():
            try:
                self._client.attach_thing_principal(thingName=thing, principal=arn)
            except self._client.exceptions.ResourceNotFoundException:
                missing.append(thing)
        return missing

    def _grant(self, thing: str, arn: str, policy: Policy | None) -> None:
        if policy is None:
            return
        name, text = _policy_name(thing), json.dumps(policy, sort_keys=True)
        try:
            self._client.create_policy(policyName=name, policyDocument=text)
        except self._client.exceptions.ResourceAlreadyExistsException:
            if json.loads(self._client.get_policy(policyName=name)["policyDocument"]) != policy:
                self._client.create_policy_version(
                    policyName=name, policyDocument=text, setAsDefault=True
                )
        self._client.attach_policy(policyName=name, target=arn)

    def _retire(self, thing: str, arn: str) -> None:
        certificate = arn.rpartition("/")[2]
        missing = self._ignore_missing
        for policy in self._attached(arn):
            missing(self._client.detach_policy, policyName=policy, target=arn)
        missing(self._client.detach_thing_principal, thingName=thing, principal=arn)
        missing(self._client.update_certificate, certificateId=certificate, newStatus="INACTIVE")
        missing(self._client.delete_certificate, certificateId=certificate)

    def _attached(self, arn: str) -> list[str]:
        try:
            found = self._client.list_attached_policies(target=arn)["policies"]
        except self._client.exceptions.ResourceNotFoundException:
            return []
        return [policy["policyName"] for policy in found]

    def is_active(self, arn: str) -> bool:
        try:
            found = self._client.describe_certificate(certificateId=arn.rpartition("/")[2])
        except self._client.exceptions.ResourceNotFoundException:
            return False
        return bool(found["certificateDescription"]["status"] == "ACTIVE")

    def _ignore_missing(self, call: Any, **arguments: str) -> None:
        with contextlib.suppress(self._client.exceptions.ResourceNotFoundException):
            call(**arguments)  # removing what is gone is done

    def _keep(self, thing: str, certificate: str, beside: str, text: str) -> None:
        """`beside`: the certificate's key, or the request that it was made for; never both."""
        folder = self._folder / thing
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(folder / beside, text.encode("ascii"))
        write_whole(folder / CERTIFICATE, certificate.encode("ascii"))
        (folder / (KEY if beside == REQUEST else REQUEST)).unlink(missing_ok=True)

    def _write_record(self) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        beside = self._record.with_name(f".{self._record.name}.new")
        beside.write_text(json.dumps(self.arns, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        beside.replace(self._record)


def _policy_name(thing: str) -> str:
    return f"fanfold-{thing}"


def _read(record: Path) -> dict[str, str]:
    if not record.is_file():
        return {}
    content = json.loads(record.read_text(encoding="utf-8"))
    return {str(thing): str(arn) for thing, arn in content.items()}
