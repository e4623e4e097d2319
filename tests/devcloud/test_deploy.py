"""The real CDK command line deploys, changes and removes a site in the development cloud.

The steps of one site's life, in the order of the file; each CDK run takes some ten
seconds, so they share one stack.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

import devcloud

PROJECT = Path(devcloud.__file__).resolve().parent.parent
SITE = """
name: shop
profile: two-gpu-industrial-pc
account: "123456789012"
region: us-east-1
core: {{thing: shop-core}}
model:
  s3_uri: s3://shop-greengrass-models/lite0.tar.gz
  footprint: {{memory_kb: 330000, gpu_memory_mb: 1100, ms: {{transform: 8.0, inference: 16.0}}}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/fanfold/images, state: /srv/fanfold/state}}
workers: {workers}
"""
MODEL = b"not really a model"


class Shop:
    """The site `shop` in the development cloud, as an operator sees it."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.sites = folder / "sites"
        self.sites.mkdir()

    def write(self, workers: int) -> None:
        (self.sites / "shop.yaml").write_text(SITE.format(workers=workers))

    def cdk(self, *arguments: str) -> Any:
        return devcloud.cdk(
            [*arguments, "-c", f"sites={self.sites}", "--output", str(self.folder / "cdk.out")],
            env=self.cloud.env(),
            capture=True,
        )

    def deploy(self, *arguments: str) -> Any:
        return self.cdk("deploy", "shop", "--require-approval", "never", *arguments)

    def cdk_of_the_last_synthesis(self, *arguments: str) -> Any:
        """For a site that is still the same."""
        return devcloud.cdk(
            [*arguments, "--app", str(self.folder / "cdk.out")], env=self.cloud.env(), capture=True
        )

    def outputs(self) -> dict[str, str]:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName="shop-Deployment")[
            "Stacks"
        ]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def group_versions(self) -> list[str]:
        greengrass = self.cloud.client("greengrass")
        listed = greengrass.list_group_versions(GroupId=self.outputs()["GroupId"])["Versions"]
        return [version["Version"] for version in listed]

    def definition(self, kind: str) -> dict[str, Any]:
        """Content of one definition of the deployed group version."""
        greengrass = self.cloud.client("greengrass")
        outputs = self.outputs()
        version = greengrass.get_group_version(
            GroupId=outputs["GroupId"], GroupVersionId=outputs["GroupVersionId"]
        )["Definition"]
        *_, definition_id, _versions, version_id = version[f"{kind}DefinitionVersionArn"].split("/")
        found: dict[str, Any] = getattr(greengrass, f"get_{kind.lower()}_definition_version")(
            **{f"{kind}DefinitionId": definition_id, f"{kind}DefinitionVersionId": version_id}
        )["Definition"]
        return found

    def workers(self) -> dict[str, str]:
        """Worker → its GPU."""
        gpus = {}
        for function in self.definition("Function")["Functions"]:
            variables = function["FunctionConfiguration"].get("Environment", {}).get("Variables")
            if variables and "GPU_ID" in variables:
                gpus[function["Id"]] = variables["GPU_ID"]
        return gpus


@pytest.fixture(scope="module")
def shop(bootstrapped: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    s3 = bootstrapped.client("s3")
    s3.create_bucket(Bucket="shop-greengrass-models")
    s3.put_object(Bucket="shop-greengrass-models", Key="lite0.tar.gz", Body=MODEL)
    made = Shop(bootstrapped, tmp_path_factory.mktemp("shop"))
    made.write(workers=2)
    done = made.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    return made


pytestmark = pytest.mark.in_order


def test_the_deployment_of_the_group_succeeded(shop):
    outputs = shop.outputs()
    greengrass = shop.cloud.client("greengrass")

    status = greengrass.get_deployment_status(
        GroupId=outputs["GroupId"], DeploymentId=outputs["DeploymentId"]
    )
    assert status["DeploymentStatus"] == "Success"
    assert json.loads(outputs["Topics"])["images"] == ["shop/images/cam1"]


def test_the_group_read_back_over_the_api_is_the_planned_one(shop):
    core = shop.definition("Core")["Cores"]
    subscriptions = shop.definition("Subscription")["Subscriptions"]
    resources = {r["Id"]: r for r in shop.definition("Resource")["Resources"]}

    assert shop.workers() == {"w0": "0", "w1": "1"}
    assert core[0]["ThingArn"].endswith("thing/shop-core")
    assert "shop/work/w1" in {subscription["Subject"] for subscription in subscriptions}
    data = resources["model"]["ResourceDataContainer"]["S3MachineLearningModelResourceData"]
    assert data["S3Uri"] == "s3://shop-greengrass-models/lite0.tar.gz"
    assert shop.definition("Logger")["Loggers"]
    assert "Execution" in shop.definition("Function")["DefaultConfig"]


def test_the_model_and_the_code_come_back_as_bytes(shop):
    s3, lambda_ = shop.cloud.client("s3"), shop.cloud.client("lambda")
    arns = [f["FunctionArn"] for f in shop.definition("Function")["Functions"]]
    function = lambda_.get_function(FunctionName=next(arn for arn in arns if "-w0:" in arn))

    with urllib.request.urlopen(function["Code"]["Location"], timeout=10) as answer:
        code = answer.read()
    model = s3.get_object(Bucket="shop-greengrass-models", Key="lite0.tar.gz")["Body"].read()

    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert digest == function["Configuration"]["CodeSha256"]
    assert "lambdas/common/settings.py" in zipfile.ZipFile(io.BytesIO(code)).namelist()
    assert model == MODEL


def test_deploying_again_without_a_change_makes_nothing_new(shop):
    before = shop.group_versions(), shop.outputs()

    done = shop.deploy()

    assert done.returncode == 0
    assert "no changes" in done.stdout + done.stderr
    assert (shop.group_versions(), shop.outputs()) == before


def test_more_workers_are_a_new_version_of_the_same_group(shop):
    before = shop.outputs()
    shop.write(workers=4)

    # Without a change set, for once; the CLI imports nothing then.
    done = shop.deploy("--method=direct", "--no-import-existing-resources")

    assert done.returncode == 0, done.stdout + done.stderr
    after = shop.outputs()
    assert after["GroupId"] == before["GroupId"]
    assert after["GroupVersionId"] != before["GroupVersionId"]
    assert after["DeploymentId"] != before["DeploymentId"]
    assert shop.workers() == {"w0": "0", "w1": "1", "w2": "0", "w3": "1"}


def test_diff_shows_what_a_change_would_do_and_does_nothing(shop):
    before = shop.group_versions()
    shop.write(workers=2)

    done = shop.cdk("diff", "shop", "--fail")

    assert done.returncode == 1
    assert "FunctionDefinitionVersion" in done.stdout + done.stderr
    assert shop.group_versions() == before


def test_a_deployment_that_fails_on_the_core_fails_and_leaves_the_old_group(shop):
    before = shop.outputs()
    shop.cloud.end_deployments("Failure", "no space left on /greengrass")
    try:
        # What the step before has shown.
        done = shop.cdk_of_the_last_synthesis("deploy", "shop", "--require-approval", "never")
    finally:
        shop.cloud.end_deployments("Success")

    assert done.returncode == 1
    assert "no space left on /greengrass" in done.stdout + done.stderr
    assert shop.outputs()["GroupVersionId"] == before["GroupVersionId"]


def test_destroy_resets_the_group_first_and_leaves_nothing_of_it(shop):
    done = shop.cdk_of_the_last_synthesis("destroy", "shop", "shop-Cloud", "--force")

    assert done.returncode == 0, done.stdout + done.stderr
    groups = shop.cloud.client("greengrass").list_groups()["Groups"]
    things = shop.cloud.client("iot").list_things()["things"]
    # The cloud is shared with the other tests of this room: only this site's shall be gone.
    assert [group["Name"] for group in groups if "shop" in group["Name"]] == []
    assert [thing["thingName"] for thing in things if "shop" in thing["thingName"]] == []
    roles = shop.cloud.client("iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles if role["RoleName"].startswith("shop")] == []
    assert shop.cloud.client("s3").list_objects_v2(Bucket="shop-greengrass-models")["KeyCount"] == 1
