"""`cdk deploy SITE` for target v2, and a stand-in nucleus that deploys what the cloud has. A story.

The real CDK and boto3's own `greengrassv2` client stand on the cloud's other side.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from checkout import PROJECT
from v2_device import V2Device
from verbs import run_verb
from waiting import eventually

import devcloud
from devcloud.nucleus import Nucleus
from devcloud.nucleus.following import fetch_from, follow
from device.bundle.runtime_zip import pack as pack_runtime
from device.bundle.target import Target

pytestmark = [
    pytest.mark.story,
    pytest.mark.xdist_group("devcloud"),
    pytest.mark.in_order,
    pytest.mark.timeout(400),
]
THING, GROUP = "t-core", "boxes"


class Cloud:
    """The site, deployed by the CDK; `device` is where it runs."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        libraries = sysconfig.get_paths()["purelib"]
        target = Target(platform.machine(), "3.11", "onnxruntime")
        runtime = pack_runtime(target, None, folder / "runtimes", (libraries,)).path
        self.device = V2Device(folder / "device")
        self.device.nucleus = Nucleus(folder / "device" / "gg", THING, fetch_from(cloud.client))
        file = self.device.folder / "sites" / "t.yaml"
        site = yaml.safe_load(file.read_text())
        site["core"] = {"group": GROUP}
        site["components"]["runtimes"] = [str(runtime)]
        file.write_text(yaml.safe_dump(site))
        cloud.client("s3").create_bucket(Bucket="models")

    def join(self) -> None:
        """The device becomes a member of the group that the stack has made."""
        iot = self.cloud.client("iot")
        iot.create_thing(thingName=THING)
        iot.add_thing_to_thing_group(thingGroupName=GROUP, thingName=THING)

    def publish(self, version: str) -> str:
        model = self.device.model(version)
        self.cloud.client("s3").put_object(Bucket="models", Key=model.name, Body=model.read_bytes())
        return f"s3://models/{model.name}"

    def cdk(self, *arguments: str, uri: str) -> Any:
        sites = self.device.folder / "sites"
        options = ["-c", f"sites={sites}", "-c", f"model={uri}"]
        done = devcloud.cdk(
            [*arguments, *options, "--output", str(self.folder / "cdk.out")],
            env=self.cloud.env(), capture=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def deploy(self, uri: str) -> None:
        self.cdk("deploy", "t", "--require-approval", "never", uri=uri)

    def fanfold(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """From the folder of its site, as a person calls it."""
        folder, state = self.device.folder, self.folder / "state"
        state.mkdir(exist_ok=True)
        for link, target in (
            (folder / "device_profiles", PROJECT / "device_profiles"),
            (state / "devcloud", self.cloud.state_dir),
        ):
            if not link.exists():
                link.symlink_to(target)
        environment = {**os.environ, **self.cloud.env(), "FANFOLD_STATE": str(state)}
        return run_verb(*arguments, cwd=folder, env=environment)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """A nucleus that is online: it takes each deployment as it comes."""
        ended = threading.Event()

        def take() -> None:
            while not ended.wait(0.5):
                with suppress(ClientError):  # what was listed may be deleted by now
                    follow(self.cloud.client, self.device.nucleus, THING)

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def components(self) -> dict[str, set[str]]:
        greengrass = self.cloud.client("greengrassv2")
        return {
            made["componentName"]: {
                each["componentVersion"]
                for each in greengrass.list_component_versions(arn=made["arn"])["componentVersions"]
            }
            for made in greengrass.list_components()["components"]
            if made["componentName"].startswith("fanfold.t.")
        }


@pytest.fixture(scope="module")
def site(
    bootstrapped: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    made = Cloud(bootstrapped, tmp_path_factory.mktemp("v2cloud"))
    with made.device.nucleus:
        made.deploy(made.publish("1.0.0"))
        made.join()
        assert follow(made.cloud.client, made.device.nucleus, THING) == "SUCCEEDED"
        model = made.device.nucleus.running["fanfold.t.Model"]
        eventually(lambda: model.state == "FINISHED", f"proved: {made.device.log('Core')}", 90)
        yield made


def test_the_site_deploys_and_the_nucleus_runs_it(site: Cloud) -> None:
    assert {name: len(v) for name, v in site.components().items()} == {
        "fanfold.t.Runtime": 1, "fanfold.t.Core": 1, "fanfold.t.Model": 1,
    }  # fmt: skip
    site.device.until_ready()
    site.device.send(5)
    eventually(lambda: site.device.tally()["lost"] == 0, "every image has a record")


def test_an_unchanged_site_has_no_difference(site: Cloud) -> None:
    said = site.cdk("diff", "t", uri=site.publish("1.0.0"))
    text = said.stdout + said.stderr
    assert "There were no differences" in text or "Number of stacks with differences: 0" in text


@pytest.mark.soak
def test_a_new_model_touches_the_model_component_only_and_keeps_the_old_version(
    site: Cloud,
) -> None:
    before, pid = site.components(), site.device.facts()["pid"]
    site.deploy(site.publish("1.1.0"))
    after = site.components()
    assert {n for n in after if after[n] != before[n]} == {"fanfold.t.Model"}
    assert before["fanfold.t.Model"] < after["fanfold.t.Model"]
    assert follow(site.cloud.client, site.device.nucleus, THING) == "SUCCEEDED"
    assert site.device.facts()["pid"] == pid
    site.device.send(5)
    eventually(lambda: site.device.tally()["lost"] == 0, "every image has a record")
    assert site.device.records()[-1]["model"]["version"] == "1.1.0"


def test_the_cloud_knows_how_it_went_on_the_device(site: Cloud) -> None:
    greengrass = site.cloud.client("greengrassv2")
    effective = greengrass.list_effective_deployments(coreDeviceThingName=THING)
    (deployment,) = effective["effectiveDeployments"]
    assert deployment["coreDeviceExecutionStatus"] == "SUCCEEDED"
    found = greengrass.get_deployment(deploymentId=deployment["deploymentId"])
    assert found["deploymentStatus"] == "COMPLETED"


def test_a_version_is_made_once(site: Cloud) -> None:
    greengrass = site.cloud.client("greengrassv2")
    (arn,) = {c["arn"] for c in greengrass.list_components()["components"]
        if c["componentName"] == "fanfold.t.Runtime"}  # fmt: skip
    (version,) = greengrass.list_component_versions(arn=arn)["componentVersions"]
    recipe = greengrass.get_component(arn=version["arn"])["recipe"]
    assert json.loads(recipe)["ComponentVersion"] == version["componentVersion"]
    with pytest.raises(ClientError, match="already exists"):
        greengrass.create_component_version(inlineRecipe=recipe)


def test_the_end_of_the_site_uninstalls_and_removes_both_stacks(site: Cloud) -> None:
    versions = site.components()
    with site.followed():
        said = site.fanfold("destroy", "t", "--wait-s", "90")
    assert said.returncode == 0, said.stdout + said.stderr

    assert "1 of 1 devices have removed it" in said.stderr
    assert site.device.nucleus.states() == {}
    assert (site.device.work / "core").is_dir(), "journals stay"
    stacks = site.cloud.client("cloudformation").list_stacks()["StackSummaries"]
    alive = {s["StackName"] for s in stacks if s["StackStatus"] != "DELETE_COMPLETE"}
    assert not {"t", "t-Deployment"} & alive
    policies = site.cloud.client("iot").list_policies()["policies"]
    assert "fanfold-t-core" not in {each["policyName"] for each in policies}
    assert site.components() == versions, "devices elsewhere may run them: retained"

    again = site.fanfold("destroy", "t")
    assert (again.returncode, "no stack of this name" in again.stderr) == (0, True)
