"""What the service keeps of one account and region, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

RECIPE_BYTES = 16 * 1024
"""AWS IoT Greengrass quotas: size of a component recipe."""
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELED", "REJECTED")

SUCCEEDED = ("SUCCEEDED", "COMPLETED")


class ApiRefusal(Exception):  # noqa: N818
    """`code` as the API names it, `status` of HTTP."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def not_found(what: str) -> ApiRefusal:
    return ApiRefusal("ResourceNotFoundException", f"{what} does not exist", 404)


@dataclass
class ComponentVersion:
    arn: str
    name: str
    version: str
    recipe: dict[str, Any]
    created_at: float


@dataclass
class Deployment:
    id: str
    target: str
    given: dict[str, Any]
    created_at: float
    configuration_arn: str = ""
    status: str = "ACTIVE"
    told: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By thing: its execution's status, and the reason."""


@dataclass
class GreengrassV2:
    """`read` gives an artifact's bytes, and None where nobody can read it; `group_members` the
    things of a target; `offer_job` tells devices."""

    account: str
    region: str
    read: Callable[[str, str], bytes | None]
    members: Callable[[str], list[str]]
    offer_job: Callable[[Deployment, dict[str, Any]], None]
    components: dict[str, ComponentVersion] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    revisions: Counter[str] = field(default_factory=Counter)
    """By target; a deployment that is deleted keeps its number."""

    def create_component(self, text: str) -> ComponentVersion:
        """Raises ApiRefusal as the service does."""
        if len(text.encode()) > RECIPE_BYTES:
            size = len(text.encode())
            raise _invalid(f"the recipe has {size} bytes; {RECIPE_BYTES} allowed")
        try:
            recipe = json.loads(text)
            name, version = recipe["ComponentName"], recipe["ComponentVersion"]
        except (ValueError, KeyError, TypeError) as error:
            raise _invalid(f"the recipe cannot be read ({error})") from error
        arn = self._arn(f"components:{name}:versions:{version}")
        if arn in self.components:
            raise ApiRefusal(
                "ConflictException", f"Component [{name}] version [{version}] already exists", 409
            )
        for manifest in recipe.get("Manifests") or []:
            for artifact in manifest.get("Artifacts") or []:
                self._digest(artifact)
        made = ComponentVersion(arn, name, version, recipe, time.time())
        self.components[arn] = made
        return made

    def component(self, arn: str) -> ComponentVersion:
        if arn not in self.components:
            raise not_found(f"component {arn}")
        return self.components[arn]

    def named(self, name: str, version: str) -> ComponentVersion | None:
        return self.components.get(self._arn(f"components:{name}:versions:{version}"))

    def create_deployment(self, given: Mapping[str, Any]) -> Deployment:
        """One is active for a target: the one before is superseded. Raises ApiRefusal."""
        target, wanted = str(given["targetArn"]), dict(given.get("components") or {})
        for name, component in wanted.items():
            version = str(component.get("componentVersion") or "")
            if not version or any(mark in version for mark in "*<>=~^ "):
                raise _invalid(f"{name}: componentVersion {version!r} is not one exact version")
            if not name.startswith("aws.greengrass.") and self.named(name, version) is None:
                raise not_found(f"component {name} version {version}")
        kind, _, named = target.rpartition(":")[2].partition("/")
        self.revisions[target] += 1
        revision = self.revisions[target]
        arn = self._arn(f"configuration:{kind}/{named}:{revision}")
        made = Deployment(str(uuid.uuid4()), target, dict(given), time.time(), arn)
        for other in self.deployments.values():
            if other.target == target and other.status == "ACTIVE":
                other.status = "INACTIVE"
        self.deployments[made.id] = made
        self.offer_job(made, self.document(made))
        return made

    def deployment(self, deployment_id: str) -> Deployment:
        if deployment_id not in self.deployments:
            raise not_found(f"deployment {deployment_id}")
        return self.deployments[deployment_id]

    def latest(self, target: str) -> Deployment | None:
        found = [d for d in self.deployments.values() if d.target == target]
        return max(found, key=lambda d: d.created_at, default=None)

    def effective(self, thing: str) -> list[Deployment]:
        """Of every target that this thing belongs to, the latest."""
        targets = {d.target for d in self.deployments.values() if thing in self.members(d.target)}
        return [found for target in sorted(targets) if (found := self.latest(target))]

    def health(self, thing: str, report: Mapping[str, Any]) -> None:
        """What a nucleus says on its health topic; of a deployment that is gone it says nothing."""
        said = report.get("deploymentInformation") or {}
        arn = said.get("fleetConfigurationArnForStatus")
        for made in self.deployments.values():
            if made.configuration_arn != arn:
                continue
            details = said.get("statusDetails") or {}
            reason = str(details.get("detailedStatus") or said.get("reason") or "")
            made.told[thing] = (str(said.get("status")), reason)
            members = self.members(made.target)
            ended = all(made.told.get(m, ("",))[0] in FINISHED for m in members)
            if made.status == "ACTIVE" and ended:
                failed = any(made.told[m][0] not in SUCCEEDED for m in members)
                made.status = "FAILED" if failed else "COMPLETED"

    def document(self, made: Deployment) -> dict[str, Any]:
        """What the device is sent."""
        given = made.given
        components = {
            component: {
                "version": facts["componentVersion"],
                "runWith": facts.get("runWith") or {},
                "configurationUpdate": facts.get("configurationUpdate") or {},
            }
            for component, facts in (given.get("components") or {}).items()
        }
        return {
            "configurationArn": made.configuration_arn,
            "deploymentId": made.id,
            "deploymentName": given.get("deploymentName") or "",
            "deploymentPolicies": given.get("deploymentPolicies") or {},
            "creationTimestamp": int(made.created_at * 1000),
            "components": components,
        }

    def resolve(self, candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """ResolveComponentCandidates: the recipe of each exact version. Raises ApiRefusal."""
        found = []
        for candidate in candidates:
            name = str(candidate.get("componentName"))
            demands = [str(v) for v in (candidate.get("versionRequirements") or {}).values()]
            version = str(candidate.get("componentVersion") or (demands[:1] or [""])[0]).strip("= ")
            known = self.named(name, version)
            if known is None:
                raise not_found(f"component {name} version {version}")
            recipe = base64.b64encode(json.dumps(known.recipe).encode()).decode()
            found.append(
                {"arn": known.arn, "componentName": name, "componentVersion": version,
                 "recipe": recipe}
            )  # fmt: skip
        return found

    def _digest(self, artifact: dict[str, Any]) -> None:
        """Computed when the version is made, as AWS does; the object must be there by then."""
        uri = str(artifact["Uri"])
        if not uri.startswith("s3://"):
            return
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content = self.read(bucket, key)
        if content is None:
            raise _invalid(f"artifact {uri} cannot be read")
        artifact["Algorithm"] = "SHA-256"
        artifact["Digest"] = base64.b64encode(hashlib.sha256(content).digest()).decode()

    def _arn(self, rest: str) -> str:
        return f"arn:aws:greengrass:{self.region}:{self.account}:{rest}"


def _invalid(message: str) -> ApiRefusal:
    return ApiRefusal("ValidationException", message, 400)
