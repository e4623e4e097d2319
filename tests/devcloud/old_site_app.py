"""A site as versions before the two stacks made it: everything in one. A CDK app for tests."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import aws_cdk as cdk

from infra.stacks.assets import Assets
from infra.stacks.definitions import Definitions, Group
from infra.stacks.deployment import Deployment
from infra.stacks.functions import Functions
from infra.stacks.identity import Things
from infra.stacks.monitor import Monitor
from infra.stacks.results import Results
from infra.stacks.role import GroupRole
from infra.stacks.sites import documents_of


def main(site: Path, profiles: Path) -> None:
    documents, findings = documents_of(site, profiles)
    assert documents, findings
    document = documents[0]
    app = cdk.App()
    with tempfile.TemporaryDirectory() as folder:
        assets = Assets.build(Path(folder))
        name = document["Name"]
        env = cdk.Environment(account=document["Account"], region=document["Region"])
        stack = cdk.Stack(app, name, env=env)
        things = Things(stack, "Things", document=document)
        functions = Functions(stack, "Functions", document=document, code_zip=assets.lambdas)
        role = GroupRole(stack, "GroupRole", document=document)
        definitions = Definitions(stack, "Definitions", document=document)
        group = Group(
            stack, "Group", name=name, role_arn=role.role.role_arn, versions=definitions.versions
        )
        deployment = Deployment(
            stack, "Deployment", site=name, group=group.group, version=group.version,
            revision=assets.lambdas_sha256, wait_s=1, code_zip=assets.deployer,
        )  # fmt: skip
        deployment.after(things, *functions.aliases)
        cloud = document["Cloud"]
        deployment.after(Results(stack, "Results", site=name, settings=cloud["Results"]))
        deployment.after(Monitor(stack, "Monitor", site=name, settings=cloud["Monitor"]))
    app.synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
