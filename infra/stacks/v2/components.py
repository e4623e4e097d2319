"""Three component versions and the deployment that names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import AssetHashType, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from infra.packaging import build_core, build_offer, content_digest
from infra.planning import Finding, InvalidInput
from infra.planning.components import RuntimeFile
from infra.stacks.assets import Assets
from infra.targets.iot.request import model_uri
from infra.targets.v2 import deployment as rendering
from infra.targets.v2.group import core_document
from infra.targets.v2.limits import refuse_document, refuse_recipe
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import (
    Archive,
    Rendered,
    RuntimeArchive,
    render_core,
    render_model,
    render_runtime,
)
from infra.where import PROJECT


class SiteComponents(Construct):
    """Raises InvalidInput where a nucleus would refuse what is rendered."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        document: Mapping[str, Any],
        assets: Assets,
    ) -> None:
        super().__init__(scope, construct_id)
        self._document, self._names = document, V2Names.of(document)
        self._own = own = self._render(document, assets)
        given = rendering.properties(document, own)
        nucleus = document["Target"]["Components"]["nucleus"]
        refuse_document(self._names.site, rendering.as_sent(given, given["TargetArn"]), nucleus)
        self._deployment = CfnResource(
            self, "Deployment", type="AWS::GreengrassV2::Deployment", properties=given
        )
        for each in own:
            self._deployment.add_resource_dependency(self._version(each))
        self._deployment.add_resource_dependency(self._downloads())

    def outputs(self) -> dict[str, str]:
        versions = {each.name.rpartition(".")[2]: each.version for each in self._own}
        return {
            "DeploymentId": self._deployment.get_att("DeploymentId").to_string(),
            "ComponentVersions": json.dumps(versions, sort_keys=True, separators=(",", ":")),
        }

    def _render(self, document: Mapping[str, Any], assets: Assets) -> Sequence[Rendered]:
        names, settings = self._names, document["Target"]["Components"]
        self._archives: list[str] = []
        runtimes = [self._runtime(n, each) for n, each in enumerate(settings["runtimes"])]
        folder = assets.deployer.parent
        offer = self._asset("Offer", build_offer(folder / "offer.zip"))
        group = self._file(core_document(document), folder)
        core = self._asset("CoreArchive", build_core(folder / f"core-{group.stem}.zip", group,
            assets.lambdas))  # fmt: skip
        uri = model_uri(document) or ""
        self._archives.append(uri)
        return (
            render_runtime(names, runtimes, offer),
            render_core(names, runtimes, core, settings),
            render_model(names, runtimes, Archive(uri, uri), offer),
        )

    def _version(self, each: Rendered) -> CfnResource:
        """A version of its own logical id: the old one is retained for devices that run it."""
        stack = Stack.of(self)
        refuse_recipe(each.recipe, len(json.dumps(stack.resolve(each.recipe)).encode()))
        made = CfnResource(
            self,
            f"{each.name.rpartition('.')[2]}{each.version.replace('.', 'x')}",
            type="AWS::GreengrassV2::ComponentVersion",
            properties={"InlineRecipe": stack.to_json_string(each.recipe)},
        )
        made.apply_removal_policy(RemovalPolicy.RETAIN, apply_to_update_replace_policy=True)
        return made

    def _downloads(self) -> CfnResource:
        """What the token exchange role may download: these artifacts, and no others."""
        partition = Stack.of(self).partition
        objects = [f"arn:{partition}:s3:::{uri.removeprefix('s3://')}" for uri in self._archives]
        statement = iam.PolicyStatement(actions=["s3:GetObject"], resources=sorted(set(objects)))
        return iam.CfnPolicy(
            self,
            "Downloads",
            policy_name="artifacts",
            policy_document=iam.PolicyDocument(statements=[statement]),
            roles=[self._names.role],
        )

    def _runtime(self, number: int, source: str) -> RuntimeArchive:
        facts = RuntimeFile.of(source)
        assert facts is not None  # noqa: S101 - the site's model has checked the names
        if source.startswith("s3://"):
            self._archives.append(source)
            archive = Archive(source, source)
        else:
            path = PROJECT / source
            if not path.is_file():
                said = f"components.runtimes: {path} is not there."
                remedy = (
                    f"Make it: fanfold bundle --runtime-zip --arch {facts.arch} "
                    f"--python {facts.python}."
                )
                subject = f"site {self._names.site}"
                raise InvalidInput([Finding("FF165", "error", subject, said, remedy)])
            archive = self._asset(f"Runtime{number}", path)
        return RuntimeArchive(archive, facts.arch, facts.python)

    def _asset(self, name: str, path: Path) -> Archive:
        # Known by what it holds: zlib's output differs between its builds.
        digest = content_digest(path)
        asset = s3_assets.Asset(
            self, name, path=str(path), asset_hash=digest, asset_hash_type=AssetHashType.CUSTOM
        )
        uri = f"s3://{asset.s3_bucket_name}/{asset.s3_object_key}"
        self._archives.append(uri)
        return Archive(uri, f"{asset.asset_hash}.zip")

    def _file(self, content: bytes, folder: Path) -> Path:
        path = folder / f"group-{hashlib.sha256(content).hexdigest()}.json"
        path.write_bytes(content)
        return path
