"""A deployed site's messages land in its bucket and its metrics, and outlive its stack.

One stack, deployed by the real CDK command line, in the order of the file.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import devcloud
from edgecore.sources.api import read as read_group
from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.document import to_group
from infra.planning import load_site, store_of

SITE = """
name: mill
profile: this-machine
account: "123456789012"
region: us-east-1
core: {thing: mill-core}
model: {s3_uri: s3://mill-greengrass/lite0.tar.gz}
cameras: [{name: cam1}]
volumes: {images: /srv/mill/images, state: /srv/mill/state}
cloud: {outbox: {}}
workers: 1
"""
PROFILES = Path(devcloud.__file__).parent.parent / "device_profiles"
HOUR = "day=2026-09-21/hour=14"
BATCH = {
    "v": 1,
    "site": "mill",
    "core": "mill-core",
    "epoch": "1f3c22aa",
    "batch": "1f3c22aa-000000000001-9c41d2e07b55",
    "partition": HOUR,
    "results": [{"stream": "cam1", "seq": 1, "status": "ok"}],
}
KEY = f"batches/site=mill/{HOUR}/{BATCH['batch']}.json"
DEPLOY = ("deploy", "mill", "--require-approval", "never")

pytestmark = pytest.mark.in_order


class Mill:
    def __init__(self, cloud: Any, folder: Any) -> None:
        self.cloud, self._folder = cloud, folder
        self.file = folder / "sites" / "mill.yaml"
        self.file.parent.mkdir()
        self.file.write_text(SITE)
        self.bucket = "fanfold-mill-123456789012-us-east-1"
        self.s3 = cloud.client("s3")

    def cdk(self, *arguments: str, **env: str) -> Any:
        return devcloud.cdk(
            [
                *arguments,
                *("-c", f"sites={self.file.parent}"),
                *("--output", str(self._folder / "cdk.out")),
            ],
            env={**self.cloud.env(), **env},
            capture=True,
        )

    def deploy(self, *arguments: str, **env: str) -> Any:
        return self.cdk(*DEPLOY, *arguments, **env)

    def cdk_of_the_last_synthesis(self, *arguments: str, **env: str) -> Any:
        """The site's file has not changed."""
        return devcloud.cdk(
            [*arguments, "--app", str(self._folder / "cdk.out")],
            env={**self.cloud.env(), **env},
            capture=True,
        )

    def publish(self, topic: str, message: Any) -> None:
        payload = json.dumps(message).encode()
        self.cloud.client("iot-data").publish(topic=f"fanfold/mill/{topic}", payload=payload)

    def keys(self, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def total(self, metric: str) -> float:
        now = datetime.now(timezone.utc)
        found = self.cloud.client("cloudwatch").get_metric_statistics(
            Namespace="Fanfold",
            MetricName=metric,
            Dimensions=[{"Name": "Site", "Value": "mill"}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=10),
            Period=3600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, cloud: devcloud.DevCloud) -> None:
    """What the core's own clients look for; moto accepts anything."""
    for name, value in cloud.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def mill(bootstrapped: Any, tmp_path_factory: pytest.TempPathFactory) -> Mill:
    made = Mill(bootstrapped, tmp_path_factory.mktemp("mill"))
    done = made.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_a_batch_lands_under_its_own_name(mill):
    mill.publish("results", BATCH)

    assert mill.keys("batches/") == [KEY]
    body = mill.s3.get_object(Bucket=mill.bucket, Key=KEY)["Body"].read()
    assert json.loads(body) == BATCH


def test_a_batch_sent_again_changes_nothing(mill):
    before = mill.s3.head_object(Bucket=mill.bucket, Key=KEY)

    mill.publish("results", BATCH)

    after = mill.s3.head_object(Bucket=mill.bucket, Key=KEY)
    assert mill.keys("batches/") == [KEY]
    assert after["ETag"] == before["ETag"]


def test_a_job_summary_has_a_folder_of_its_own(mill):
    mill.publish("jobs", {**BATCH, "job": "j1", "results": None})

    assert mill.keys("jobs/") == [KEY.replace("batches/", "jobs/")]


def test_another_sites_messages_do_not_land_here(mill):
    mill.cloud.client("iot-data").publish(topic="fanfold/other/results", payload=b"{}")

    assert mill.keys("batches/") == [KEY]


def test_reports_become_metrics_of_the_site(mill):
    mill.publish("health", {"site": "mill", "part": "aggregator", "results": 40, "failed": 2})
    mill.publish("health", {"site": "mill", "part": "aggregator", "results": 2, "failed": 0})
    mill.publish("health", {"site": "mill", "part": "splitter", "worker_restarts": 1})

    assert (mill.total("Results"), mill.total("FailedRecords")) == (42.0, 2.0)
    assert mill.total("WorkerRestarts") == 1.0


def test_alarms_and_dashboard_are_there(mill):
    cloudwatch = mill.cloud.client("cloudwatch")

    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="fanfold-mill-")["MetricAlarms"]
    assert len(alarms) == 5
    body = json.loads(cloudwatch.get_dashboard(DashboardName="fanfold-mill")["DashboardBody"])
    assert set(body["widgets"][0]["properties"]["alarms"]) == {a["AlarmArn"] for a in alarms}


def test_a_role_that_may_not_write_there_keeps_the_batch_out_and_says_so(mill):
    rule = mill.cloud.client("iot").get_topic_rule(ruleName="fanfold_mill_results")["rule"]
    role = rule["actions"][0]["s3"]["roleArn"].rpartition("/")[2]
    logs_only = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    mill.cloud.client("iam").put_role_policy(
        RoleName=role,
        PolicyName="rule",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [logs_only]}),
    )

    mill.publish("results", {**BATCH, "batch": "refused"})

    assert mill.keys("batches/") == [KEY]
    logs = mill.cloud.client("logs")
    events = logs.filter_log_events(logGroupName="/fanfold/mill/rule-errors")["events"]
    assert "AccessDenied" in events[-1]["message"]


def test_what_the_planner_names_is_what_the_stack_made(mill):
    store = store_of(load_site(mill.file, PROFILES)[0])
    (stack,) = mill.cloud.client("cloudformation").describe_stacks(StackName="mill")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    assert store is not None
    assert (store.bucket, store.batches_prefix) == (
        outputs["ResultsBucket"],
        outputs["ResultsPrefix"],
    )
    assert store.outbox_prefix == "results/site=mill/"


def test_the_data_outlives_the_stack(mill):
    done = mill.cdk_of_the_last_synthesis("destroy", "mill", "mill-Cloud", "--force")

    assert done.returncode == 0, done.stdout + done.stderr
    assert KEY in mill.keys("batches/")
    with pytest.raises(ClientError):
        mill.cloud.client("iot").get_topic_rule(ruleName="fanfold_mill_results")


def test_a_bucket_that_is_there_is_not_taken_over_unasked(mill):
    refused = mill.cdk_of_the_last_synthesis(*DEPLOY, CDK_IMPORT_EXISTING_RESOURCES="false")

    assert refused.returncode == 1
    assert "bucket name is not available" in refused.stdout + refused.stderr


def test_the_next_stack_takes_the_data_back(mill):
    done = mill.cdk_of_the_last_synthesis(*DEPLOY)
    assert done.returncode == 0, done.stdout + done.stderr

    mill.publish("results", {**BATCH, "batch": "after"})

    assert len(mill.keys("batches/")) == 2


def test_with_the_override_a_core_runs_what_aws_lambda_was_not_told(mill):
    done = mill.deploy("-c", "runtime_override=python3.8")
    assert done.returncode == 0, done.stdout + done.stderr

    document = read_group(AwsClients(endpoint_url=mill.cloud.url, region="us-east-1"), "mill")
    group = to_group(document, base=mill.file.parent)

    assert {entry["Runtime"] for entry in document["Lambdas"].values()} == {"python3.13"}
    assert {function.runtime for function in group.lambdas} == {"python3.8"}
    assert document["Loggers"]
