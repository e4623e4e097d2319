"""Sites of target v2 in the development cloud, and nuclei that are paho: real jobs, no CDK."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cloud_fleet import Line
from components_plant import ComponentsPlant
from job_fleet import Box

import devcloud
from fanfold.rollout.ways import Ran, Verbs

ASKS_S = 0.3


class Nucleus(Box):
    """What a device does with a deployment's job: takes or refuses it, and says so twice.

    To its job, and on its health topic, which `list_effective_deployments` reads.
    """

    def _do(self, execution: dict[str, Any]) -> None:
        document = execution["jobDocument"]
        status, reason = ("FAILED", "Model is BROKEN") if self.refuses else ("SUCCEEDED", "")
        self.refuses = False
        if status == "SUCCEEDED":
            (self.model,) = (
                component["version"] for name, component in document["components"].items()
                if name.endswith(".Model")
            )  # fmt: skip
        told = {
            "status": status,
            "statusDetails": {"detailedStatus": reason},
            "fleetConfigurationArnForStatus": document["configurationArn"],
        }
        self._client.publish(
            f"$aws/things/{self.name}/greengrassv2/health/json",
            {"deploymentInformation": told, "timestamp": int(time.time() * 1000)},
        )
        self._client.publish(f"{self._prefix}{execution['jobId']}/update", {"status": status})


class ComponentSite(ComponentsPlant):
    """A site with its nucleus, which is off until it is opened."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str) -> None:
        self.nucleus = Nucleus(cloud, folder / "things", f"{name}-core")
        super().__init__(Line(cloud, folder, name))

    def ended(self, deployment: str) -> dict[str, Any]:
        """What its device says of it, {} before it has said anything."""
        found = self.greengrass.list_effective_deployments(coreDeviceThingName=self.thing)
        return next(
            (
                each for each in found["effectiveDeployments"]
                if each["deploymentId"] == deployment
                and each["coreDeviceExecutionStatus"] != "QUEUED"
            ),
            {},
        )  # fmt: skip


class WithoutCdk(Verbs):
    """`fanfold deploy` without the CDK; `fanfold rollback` is the real one."""

    sites: dict[str, ComponentSite]

    def deploy(self, site: str, model: str) -> Ran:
        one = self.sites[site]
        made = one.deploy(model)
        end = time.monotonic() + self.wait_s
        while not (told := one.ended(made)) and time.monotonic() < end:
            time.sleep(ASKS_S)
        if told.get("coreDeviceExecutionStatus") == "FAILED":
            return Ran(1, told["reason"])
        return Ran(0)
