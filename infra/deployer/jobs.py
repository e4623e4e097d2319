"""`Custom::FanfoldJob`: a deployment as an AWS IoT job, made with its stack and waited for.

Why not `AWS::IoT::Job`: it waits for no device, and a job document needs the moment of its
deployment, which a template must not have (docs/decisions/0071-target-iot.md).

On create and update: the artifacts are copied into the site's own bucket under their digests,
so that neither `cdk gc` nor a later deployment takes them from a device that was off; older jobs
of the site are cancelled where no device has begun them; a job is made; its devices are waited
for. Failed devices fail the stack (`infra.deployer.verdict`), and CloudFormation's way back is a
job with the former artifacts. A device that is off does not: the answer is SUCCESS, and it takes
the job later. On delete: what no device has begun is cancelled.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.deployer.handler import Clock, DeploymentError, answer_with, client_config, wait_s
from infra.deployer.verdict import BAD, OPEN, PENDING, failed, group_of, members, pages, selection

POLL_S = 1.0
CHUNK = 1 << 20
MOST_NAMED = 5
"""So many devices are named in an answer, which CloudFormation limits to 4 KB."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Entry point of AWS Lambda: never raises."""

    def work() -> dict[str, str]:
        clients = {name: boto3.client(name, config=client_config()) for name in ("iot", "s3")}
        return handle(event, clients["iot"], clients["s3"], Clock(context))

    answer_with(event, f"job-of-{event['ResourceProperties'].get('Site', 'unknown')}", work)


def handle(event: dict[str, Any], iot: Any, s3: Any, clock: Clock) -> dict[str, str]:
    wanted = event["ResourceProperties"]
    cancel_waiting(iot, wanted["JobPrefix"])
    if event["RequestType"] == "Delete":
        return {}
    document = job_document(s3, wanted, int(time.time()))
    suffix = hashlib.sha256(event["RequestId"].encode()).hexdigest()[:8]
    job_id = f"{wanted['JobPrefix']}{document['issued_at']}-{suffix}"
    make_job(iot, job_id, wanted, document)
    return {"JobId": job_id, **wait(iot, job_id, wanted, wait_s(clock), clock)}


def job_document(s3: Any, wanted: dict[str, Any], issued_at: int) -> dict[str, Any]:
    """docs/spec/jobs.md; every artifact lies in the site's bucket from now on."""
    bucket = wanted["Bucket"]
    found: dict[str, Any] = {
        "v": 1,
        "site": wanted["Site"],
        "issued_at": issued_at,
        "timeout_s": int(wanted["TimeoutSeconds"]),
        "group": keep(s3, wanted["GroupUri"], bucket, "json"),
        "code": [{"arns": wanted["Arns"], **keep(s3, wanted["CodeUri"], bucket, "zip")}],
        "per_thing": wanted["PerThing"] == "true",
    }
    if model := wanted.get("Model"):
        found["model"] = keep(s3, model, bucket, "zip" if model.endswith(".zip") else "tar.gz")
    if core := wanted.get("CoreUri"):
        found["core"] = {"version": wanted["CoreVersion"], **keep(s3, core, bucket, "tar")}
    return found


def keep(s3: Any, uri: str, bucket: str, ending: str) -> dict[str, Any]:
    """Copy an object under its own digest; {uri, sha256, size}."""
    source, _, key = uri.removeprefix("s3://").partition("/")
    try:
        answer = s3.get_object(Bucket=source, Key=key)
    except ClientError as error:
        raise DeploymentError(f"artifact {uri} cannot be read: {error}") from error
    digest, size = hashlib.sha256(), 0
    while chunk := answer["Body"].read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    sha256 = digest.hexdigest()
    target = f"artifacts/{sha256}.{ending}"
    if not _exists(s3, bucket, target):
        s3.copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": source, "Key": key})
    return {"uri": f"s3://{bucket}/{target}", "sha256": sha256, "size": size}


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def make_job(iot: Any, job_id: str, wanted: dict[str, Any], document: dict[str, Any]) -> None:
    """A repeated call of the same request finds its job made."""
    try:
        iot.create_job(
            jobId=job_id,
            targets=[wanted["Target"]],
            targetSelection=selection(wanted["Target"]),
            document=json.dumps(document, separators=(",", ":")),
            description=f"Fanfold deployment of site {wanted['Site']}",
            **json.loads(wanted["Settings"]),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def cancel_waiting(iot: Any, prefix: str) -> None:
    """Older jobs of the site, for devices that have not begun them: the next one says it all."""
    for job in pages(iot.list_jobs, "jobs", status="IN_PROGRESS"):
        if job["jobId"].startswith(prefix) and job["status"] == "IN_PROGRESS":
            try:
                iot.cancel_job(jobId=job["jobId"], reasonCode="SUPERSEDED", force=False)
            except ClientError as error:
                print(f"{job['jobId']} cannot be cancelled: {error}")  # noqa: T201 (logs)


def wait(
    iot: Any, job_id: str, wanted: dict[str, Any], wait_s: float, clock: Clock
) -> dict[str, str]:
    """Until every device has ended, or the time is up. Raises DeploymentError where it failed."""
    deadline = clock.now() + wait_s
    group = group_of(wanted["Target"])
    while True:
        found = dict.fromkeys(members(iot, group) if group else (), "QUEUED")
        found.update(executions(iot, job_id))
        status = str(iot.describe_job(jobId=job_id)["job"]["status"])
        left = [thing for thing, stands in found.items() if stands in PENDING]
        # A job for a group goes on for things that join it later, so its devices are asked.
        waiting = status in OPEN and (bool(left) if group else True)
        if not waiting or clock.now() >= deadline:
            break
        clock.sleep(POLL_S)
    if failed(status, found, json.loads(wanted["Settings"]).get("abortConfig")):
        bad = {thing: stands for thing, stands in found.items() if stands in BAD}
        raise DeploymentError(_failed_devices(iot, job_id, bad, len(found)))
    told = "Completed" if group and found and not left else status.title().replace("_", "")
    succeeded = sum(stands == "SUCCEEDED" for stands in found.values())
    return {"Status": told, "Succeeded": str(succeeded), "Waiting": str(len(left))}


def executions(iot: Any, job_id: str) -> dict[str, str]:
    """Thing → how its newest execution stands."""
    listed = pages(iot.list_job_executions_for_job, "executionSummaries", jobId=job_id)
    return {
        each["thingArn"].rpartition("/")[2]: each["jobExecutionSummary"]["status"]
        for each in listed
    }


def _failed_devices(iot: Any, job_id: str, bad: dict[str, str], devices: int) -> str:
    """One sentence: which devices, and what each of the first few says."""
    said = []
    for thing, status in list(bad.items())[:MOST_NAMED]:
        answer = iot.describe_job_execution(jobId=job_id, thingName=thing)["execution"]
        details = answer.get("statusDetails", {}).get("detailsMap", {})
        said.append(f"{thing} {status}: {details.get('reason', 'no reason given')}")
    more = f"; and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
    names = "; ".join(said)
    return f"job {job_id} failed on {len(bad)} of {devices} devices: {names}{more}"
