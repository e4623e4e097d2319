"""Three component versions and the deployment that names them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import AssetHashType, CfnDeletionPolicy, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from infra.packaging import content_digest
from infra.site_components import refuse_components, render_components
from infra.stacks.assets import Assets
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import Archive, Rendered


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
        self._names = V2Names.of(document)
        self._own = own = render_components(
            document, assets.lambdas, assets.deployer.parent, self._asset
        )
        resolve = Stack.of(self).resolve
        sizes = {each.name: len(json.dumps(resolve(each.recipe)).encode()) for each in own}
        given = refuse_components(document, own, sizes)
        self._deployment = CfnResource(
            self, "Deployment", type="AWS::GreengrassV2::Deployment", properties=given
        )
        # What ran before stays listed: `fanfold rollback` deploys it again.
        self._deployment.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        for each in own:
            self._deployment.add_resource_dependency(self._version(each))
        self._deployment.add_resource_dependency(self._downloads())

    def outputs(self) -> dict[str, str]:
        versions = {each.name.rpartition(".")[2]: each.version for each in self._own}
        return {
            "DeploymentId": self._deployment.get_att("DeploymentId").to_string(),
            "ComponentVersions": json.dumps(versions, sort_keys=True, separators=(",", ":")),
        }

    def _version(self, each: Rendered) -> CfnResource:
        """A version of its own logical id: the old one is retained for devices that run it."""
        stack = Stack.of(self)
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
        uris = [uri for each in self._own for uri in each.artifacts]
        objects = [f"arn:{partition}:s3:::{uri.removeprefix('s3://')}" for uri in uris]
        statement = iam.PolicyStatement(actions=["s3:GetObject"], resources=sorted(set(objects)))
        return iam.CfnPolicy(
            self,
            "Downloads",
            policy_name="artifacts",
            policy_document=iam.PolicyDocument(statements=[statement]),
            roles=[self._names.role],
        )

    def _asset(self, name: str, path: Path) -> Archive:
        # Known by what it holds: zlib's output differs between its builds.
        digest = content_digest(path)
        asset = s3_assets.Asset(
            self, name, path=str(path), asset_hash=digest, asset_hash_type=AssetHashType.CUSTOM
        )
        uri = f"s3://{asset.s3_bucket_name}/{asset.s3_object_key}"
        return Archive(uri, f"{asset.asset_hash}.zip")
