"""A site of one stack, made by an older version, becomes two and loses nothing.

A story: one site, deployed as it once was, then by `cdk deploy SITE` of today, then by the other
target.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from checkout import PROJECT

import devcloud

SITE = """
name: old-mill
profile: this-machine
account: "123456789012"
region: us-east-1
core: {{thing: old-mill-core}}
target: {target}
model: {{s3_uri: s3://old-mill-greengrass/lite0.tar.gz}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/mill/images, state: /srv/mill/state}}
workers: 1
"""
BUCKET = "fanfold-old-mill-123456789012-us-east-1"
BATCH = {"partition": "day=2026-09-21/hour=14", "batch": "b", "results": []}
pytestmark = [pytest.mark.story, pytest.mark.xdist_group("devcloud"), pytest.mark.in_order]


class Mill:
    def __init__(self, cloud: devcloud.DevCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.file = folder / "sites" / "old-mill.yaml"
        self.file.parent.mkdir()
        self.write("v1")

    def write(self, target: str) -> None:
        self.file.write_text(SITE.format(target=target))

    def cdk(self, *arguments: str):
        done = devcloud.cdk(
            [*arguments, "--output", str(self.folder / "cdk.out")],
            env=self.cloud.env(), capture=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def deploy_as_it_was(self) -> None:
        app = f"{sys.executable} {Path(__file__).with_name('old_site_app.py')}"
        arguments = f"{app} {self.file} {PROJECT / 'device_profiles'}"
        self.cdk("deploy", "old-mill", "--require-approval", "never", "--app", arguments)

    def deploy(self) -> None:
        self.cdk("deploy", "old-mill", "--require-approval", "never", "-c", "wait=1",
                 "-c", f"sites={self.file.parent}")  # fmt: skip

    def stacks(self) -> dict[str, set[str]]:
        """Stack → types of its resources."""
        client = self.cloud.client("cloudformation")
        names = [s["StackName"] for s in client.describe_stacks()["Stacks"]]
        found = {}
        for name in (each for each in names if each.startswith("old-mill")):
            listed = client.list_stack_resources(StackName=name)["StackResourceSummaries"]
            found[name] = {each["ResourceType"] for each in listed}
        return found

    def land(self, name: str) -> None:
        """What a core of version v1 publishes."""
        payload = json.dumps({**BATCH, "batch": name})
        self.cloud.client("iot-data").publish(topic="fanfold/old-mill/results", payload=payload)

    def landed(self) -> set[str]:
        listed = self.cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="batches/")
        return {Path(each["Key"]).stem for each in listed.get("Contents", [])}


@pytest.fixture(scope="module")
def mill(bootstrapped, tmp_path_factory) -> Mill:
    s3 = bootstrapped.client("s3")
    s3.create_bucket(Bucket="old-mill-greengrass")
    s3.put_object(Bucket="old-mill-greengrass", Key="lite0.tar.gz", Body=b"model")
    made = Mill(bootstrapped, tmp_path_factory.mktemp("old-mill"))
    made.deploy_as_it_was()
    made.land("before")
    return made


def test_before_there_is_one_stack_with_everything(mill):
    assert list(mill.stacks()) == ["old-mill"]
    assert {"AWS::Greengrass::Group", "AWS::S3::Bucket"} <= mill.stacks()["old-mill"]


def test_today_the_data_stays_where_it_is_and_the_group_has_a_stack_of_its_own(mill):
    mill.deploy()

    stacks = mill.stacks()
    mill.land("after")
    assert {"AWS::S3::Bucket", "AWS::IoT::TopicRule", "AWS::IoT::Thing"} <= stacks["old-mill"]
    assert "AWS::Greengrass::Group" not in stacks["old-mill"]
    assert "AWS::Greengrass::Group" in stacks["old-mill-Deployment"]
    assert mill.landed() == {"before", "after"}
    groups = mill.cloud.client("greengrass").list_groups()["Groups"]
    assert [group["Name"] for group in groups if group["Name"] == "old-mill"] == ["old-mill"]


def test_another_target_replaces_the_deployment_and_keeps_the_data(mill):
    mill.write("iot")

    mill.deploy()

    stacks = mill.stacks()
    assert {"Custom::FanfoldJob"} <= stacks["old-mill-Deployment"]
    assert not [t for t in stacks["old-mill-Deployment"] if "Greengrass" in t]
    assert {"AWS::IoT::Policy", "AWS::IoT::RoleAlias"} <= stacks["old-mill"]
    assert mill.landed() == {"before", "after"}
    jobs = mill.cloud.client("iot").list_jobs()["jobs"]
    assert [job["jobId"] for job in jobs if job["jobId"].startswith("fanfold-old-mill_")]
