"""Sites of target iot in the development cloud: thing groups, boxes that are paho, real jobs.

What the CDK does beside is left out: the deployer's handler is called as its stack calls it.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from checkout import PROJECT
from paho_client import Client
from things import make_thing

import devcloud
from fanfold.rollout.ways import Ran, Verbs
from infra.deployer.handler import Clock, DeploymentError
from infra.deployer.jobs import handle
from infra.planning import load_site, plan_group, render
from infra.targets.iot import group_document
from infra.targets.iot.request import request

ASSETS = "job-fleet-assets"
_requests = itertools.count()


class Box:
    """A device of a thing group, switched on: what it runs is what its last good job brought."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str) -> None:
        self.name, self.model = name, ""
        self.refuses = False
        self._prefix = f"$aws/things/{name}/jobs/"
        self._client = Client(make_thing(cloud, folder / name, name))
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def open(self) -> None:
        assert self._client.open() == 0
        self._client.subscribe(f"{self._prefix}notify-next", f"{self._prefix}start-next/accepted")
        self._thread.start()
        self._client.publish(f"{self._prefix}start-next", {})

    def close(self) -> None:
        self._client.paho.disconnect()
        self._client.paho.loop_stop()
        self._client.messages.put(None)
        self._thread.join()

    def _follow(self) -> None:
        while (message := self._client.messages.get()) is not None:
            execution = json.loads(message.payload).get("execution")
            if not execution:
                continue
            if message.topic.endswith("notify-next"):
                self._client.publish(f"{self._prefix}start-next", {})
            else:
                self._do(execution)

    def _do(self, execution: dict[str, Any]) -> None:
        said: dict[str, Any] = {"status": "SUCCEEDED", "statusDetails": {"step": "done"}}
        if self.refuses:
            self.refuses = False
            details = {"step": "trial", "reason": "w0: net.params has SHA-256 9c..."}
            said = {"status": "FAILED", "statusDetails": details}
        else:
            self.model = execution["jobDocument"]["model"]["sha256"]
        self._client.publish(f"{self._prefix}{execution['jobId']}/update", said)


class Group:
    """A site for a thing group, with its boxes; `off` of them are never switched on."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str, off: int = 0) -> None:
        self.cloud, self.name = cloud, name
        self.profiles, self.file = folder / "device_profiles", folder / "sites" / f"{name}.yaml"
        site = yaml.safe_load((PROJECT / "sites/demo-iot.yaml").read_text())
        site.update(name=name, core={"group": f"{name}-boxes"}, cloud={"monitor": None})
        self.file.write_text(yaml.safe_dump(site))
        iot = cloud.client("iot")
        iot.create_thing_group(thingGroupName=f"{name}-boxes")
        self.boxes = [Box(cloud, folder, f"{name}-{n}") for n in (1, 2)]
        for number in (1, 2):
            iot.add_thing_to_thing_group(
                thingGroupName=f"{name}-boxes", thingName=f"{name}-{number}"
            )
        self.on = self.boxes[off:]
        cloud.client("s3").create_bucket(Bucket=request(self._document(None))["Bucket"])

    def _document(self, model: str | None) -> dict[str, Any]:
        site, profile = load_site(self.file, self.profiles)
        return render(plan_group(site.with_model(model) if model else site, profile))

    def deploy(self, model: str, wait_s: float) -> None:
        """As CloudFormation asks the deployer. Raises DeploymentError."""
        document, s3 = self._document(model), self.cloud.client("s3")
        s3.put_object(Bucket=ASSETS, Key=f"{self.name}.json", Body=group_document(document))
        wanted = {
            **request(document),
            "GroupUri": f"s3://{ASSETS}/{self.name}.json",
            "CodeUri": f"s3://{ASSETS}/code.zip",
        }
        event = {"RequestType": "Update", "RequestId": f"{self.name}-{next(_requests)}"}
        os.environ["WAIT_SECONDS"] = str(wait_s)  # the function's own environment
        clock = Clock(SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000))
        handle({**event, "ResourceProperties": wanted}, self.cloud.client("iot"), s3, clock)


class WithoutCdk(Verbs):
    """`fanfold deploy` without the CDK; `fanfold rollback` is the real one."""

    groups: dict[str, Group]
    before: str

    def deploy(self, site: str, model: str) -> Ran:
        try:
            self.groups[site].deploy(model, self.wait_s)
        except DeploymentError as error:
            self.groups[site].deploy(self.before, self.wait_s)  # as CloudFormation goes back
            return Ran(1, str(error))
        return Ran(0)
