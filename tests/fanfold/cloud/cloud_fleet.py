"""Several sites of one folder in the development cloud, and devices that follow their groups.

The groups are put there by boto3 (`cloud_plant`); a device here says over the cloud's own
interfaces what a core would: that it follows its group, how a deployment ended, and its health.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from cloud_plant import Plant

import devcloud
from devcloud.process import ask
from fanfold.rollout.ways import Ran, Verbs
from infra.planning.naming import rule_name

FOLLOWS_S = 30.0
EVERY_S, REPORT_S = 0.8, 1.3
#: The model that is rolled out, and that an ill site fares badly with.
NEWER = "newer.tar.gz"


def fleet_folder(cloud: devcloud.DevCloud, made: Path) -> Path:
    """`made`, as a folder in which verbs find sites and this cloud."""
    for name in ("sites", "state"):
        (made / name).mkdir()
    (made / "state" / "devcloud").symlink_to(cloud.state_dir)
    return made


class Line(Plant):
    """A site of the fleet: its own folder, its file linked into the fleet's `sites/`."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str) -> None:
        own = folder / name
        own.mkdir()
        super().__init__(cloud, own, name)
        (folder / "sites" / f"{name}.yaml").symlink_to(self.site_file)
        #: The next deployment; how its images fare while it runs the newer model.
        self.refuses = self.ill = False
        self._land_health()

    def write(self, **changes: Any) -> None:
        super().write(cloud={"monitor": {"every_s": 10}}, **changes)

    def _land_health(self) -> None:
        """The rule of the site's cloud stack (infra/stacks/monitor.py): reports to a log group."""
        group, iam = f"/fanfold/{self.name}/health", self.clients["iam"]
        self.cloud.client("logs").create_log_group(logGroupName=group)
        version = {"Version": "2012-10-17"}
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole",
                 "Principal": {"Service": "iot.amazonaws.com"}}  # fmt: skip
        may = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
        role = iam.create_role(
            RoleName=f"{self.name}-health",
            AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]}),
        )["Role"]["Arn"]
        iam.put_role_policy(
            RoleName=f"{self.name}-health", PolicyName="logs",
            PolicyDocument=json.dumps({**version, "Statement": [may]}),
        )  # fmt: skip
        action = {"cloudwatchLogs": {"roleArn": role, "logGroupName": group}}
        self.clients["iot"].create_topic_rule(
            ruleName=rule_name(self.name, "health"),
            topicRulePayload={"sql": f"SELECT * FROM 'fanfold/{self.name}/health'",
                              "actions": [action]},
        )  # fmt: skip

    def runs(self) -> str:
        """File name of the model in the newest deployment, as the cloud has it."""
        greengrass, group = self.clients["greengrass"], self.group_id
        made = greengrass.list_deployments(GroupId=group)["Deployments"]
        newest = max(made, key=lambda each: str(each["CreatedAt"]))
        version = newest["GroupArn"].rpartition("/")[2]
        definition = greengrass.get_group_version(GroupId=group, GroupVersionId=version)
        *_, resources, _, of = definition["Definition"]["ResourceDefinitionVersionArn"].split("/")
        found = greengrass.get_resource_definition_version(
            ResourceDefinitionId=resources, ResourceDefinitionVersionId=of
        )["Definition"]["Resources"]
        (uri,) = (
            data["S3Uri"]
            for each in found
            if (data := each["ResourceDataContainer"].get("S3MachineLearningModelResourceData"))
        )
        return str(uri).rpartition("/")[2]


class Devices:
    """All devices that are switched on: one thread takes deployments, one reports."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines, self._end = lines, threading.Event()
        self._cloud, self._told = lines[0].cloud, set[str]()
        self._data = self._cloud.client("iot-data")
        self._greengrass = self._cloud.client("greengrass")
        self._threads = [threading.Thread(target=each) for each in (self._take, self._report_all)]

    def __enter__(self) -> Devices:
        for line in self._lines:
            self._follow(line, {})
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _take(self) -> None:
        while not self._end.wait(EVERY_S):
            for line in self._lines:
                self._follow(line, self._outcomes(line))

    def _report_all(self) -> None:
        while not self._end.wait(REPORT_S):
            for line in self._lines:
                self.report(line)

    def _outcomes(self, line: Line) -> dict[str, dict[str, str]]:
        listed = self._greengrass.list_deployments(GroupId=line.group_id)["Deployments"]
        found = {}
        for made in (each["DeploymentId"] for each in listed):
            if made in self._told:
                continue
            self._told.add(made)
            if line.deployment(made)["DeploymentStatus"] != "InProgress":
                continue
            found[made] = {"status": "Success"}
            if line.refuses:
                found[made] = {"status": "Failure", "error": "w0: net.params has SHA-256 9c..."}
                line.refuses = False
        return found

    def _follow(self, line: Line, outcomes: dict[str, dict[str, str]]) -> None:
        body = {"group": line.group_id, "follows_s": FOLLOWS_S, "deployments": outcomes}
        address = f"{self._cloud.url}/moto-api/devcloud/cores?region=us-east-1"
        ask(address, self._cloud.key, json.dumps(body).encode())

    def report(self, line: Line) -> None:
        ill = line.ill and line.runs() == NEWER
        failed = 40 if ill else 0
        for part, values in (
            ("splitter", {"workers": 2, "workers_ready": 2, "worker_restarts": 0}),
            ("aggregator", {"results": 100, "failed": failed}),
            ("core", {"verdict": "degraded" if ill else "ok", "version": "0.1.0"}),
        ):
            told = {"v": 1, "site": line.name, "core": f"{line.name}-core", "part": part,
                    "t": time.time(), "interval_s": REPORT_S, **values}  # fmt: skip
            self._data.publish(topic=f"fanfold/{line.name}/health", payload=json.dumps(told))


class WithoutCdk(Verbs):
    """`fanfold deploy` in a hundredth of its time: the group by boto3. Rolling back is real."""

    lines: dict[str, Line]

    def deploy(self, site: str, model: str) -> Ran:
        line = self.lines[site]
        made = line.deploy(model)
        end = time.monotonic() + self.wait_s
        while time.monotonic() < end:
            answer = line.deployment(made)
            if answer["DeploymentStatus"] == "Failure":
                line.deploy()  # as CloudFormation restores the group before
                return Ran(1, answer["ErrorMessage"])
            if answer["DeploymentStatus"] == "Success":
                break
            time.sleep(EVERY_S)
        return Ran(0)
