"""A site of target v2 in the development cloud without the CDK: components put there by boto3."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from cloud_plant import Plant

from infra.planning import Plan, Site, load_site, plan_group
from infra.site_components import nowhere, render_components
from infra.targets.v2 import deployment as rendering
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import Archive


class ComponentsPlant:
    """`plant` with `target: v2`; `deploy` is what the stack does."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.greengrass = plant.cloud.client("greengrassv2")
        self.iot, self.iam = plant.clients["iot"], plant.clients["iam"]
        self.runtime = plant.folder / "fanfold-runtime-0000-x86_64-py3.11-onnxruntime.zip"
        with zipfile.ZipFile(self.runtime, "w") as archive:
            archive.writestr("runtime.json", "{}")
        self.write()
        self.thing = f"{plant.name}-core"
        self.names = V2Names(plant.name, "123456789012", "us-east-1")
        self.iot.create_thing(thingName=self.thing)
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.iam.create_role(RoleName=self.names.role, AssumeRolePolicyDocument=trust)

    @property
    def components(self) -> dict[str, Any]:
        return {"runtimes": [str(self.runtime)], "nucleus": "java"}

    def write(self, **changes: Any) -> None:
        self.plant.write(target="v2", **{"components": self.components, **changes})

    def site(self) -> Site:
        return load_site(self.plant.site_file, self.plant.folder / "device_profiles")[0]

    def plan(self) -> Plan:
        return plan_group(*load_site(self.plant.site_file, self.plant.folder / "device_profiles"))

    def fanfold(self, *arguments: str) -> Any:
        return self.plant.fanfold(*arguments)

    def model(self, name: str) -> str:
        return f"s3://{self.plant.bucket}/{name}.tar.gz"

    def deploy(self, model: str | None = None) -> str:
        """Component versions and a deployment; its id."""
        document = self.plant.document(model)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lambdas = folder / "lambdas.zip"
            lambdas.write_bytes(self.plant._zip)
            own = render_components(document, lambdas, folder, self._place)
        for each in own:
            with contextlib.suppress(self.greengrass.exceptions.ConflictException):
                self.greengrass.create_component_version(inlineRecipe=json.dumps(each.recipe))
        properties = rendering.properties(document, own)
        components = {
            name: {"componentVersion": each["ComponentVersion"]}
            for name, each in properties["Components"].items()
        }
        made = self.greengrass.create_deployment(
            targetArn=properties["TargetArn"],
            deploymentName=properties["DeploymentName"],
            components=components,
            iotJobConfiguration=rendering.job_terms(document),
        )
        return str(made["deploymentId"])

    def _place(self, name: str, path: Path) -> Archive:
        known = nowhere(name, path)
        uri = self.plant.publish(path, known.identity)
        return Archive(uri, known.identity)

    def versions(self) -> dict[str, str]:
        """Of the newest deployment, by component without the site's name."""
        (newest,) = self.greengrass.list_deployments(
            targetArn=self.names.arn(f"thing/{self.thing}")
        )["deployments"]
        found = self.greengrass.get_deployment(deploymentId=newest["deploymentId"])
        return {
            name.rpartition(".")[2]: each["componentVersion"]
            for name, each in (found.get("components") or {}).items()
        }

    def report(self, status: str, reason: str = "") -> None:
        """The device's word of the newest deployment, on its nucleus's health topic."""
        found = self.greengrass.list_effective_deployments(coreDeviceThingName=self.thing)
        (deployment,) = found["effectiveDeployments"]
        said = {
            "deploymentInformation": {
                "status": status, "statusDetails": {"detailedStatus": reason},
                "fleetConfigurationArnForStatus": deployment["iotJobArn"],
            },
            "timestamp": int(time.time() * 1000),
        }  # fmt: skip
        self.plant.cloud.client("iot-data").publish(
            topic=f"$aws/things/{self.thing}/greengrassv2/health/json",
            payload=json.dumps(said).encode(),
        )
