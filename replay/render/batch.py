"""A CloudFormation template with the AWS Batch job definition of an array; pure."""

from __future__ import annotations

import shlex
from typing import Any

from replay.render.manifests import Array
from replay.shard import ATTEMPTS

#: AWS Batch: children of an array job.
MAX_TASKS = 10_000


def tasks_of(shards: int) -> int:
    """How many children; an array needs two at least."""
    return max(2, min(shards, MAX_TASKS))


def template(array: Array) -> dict[str, Any]:
    """Deploy it, then submit with `submit_command`. A reclaimed host costs an attempt more."""
    needs = [
        {"Type": "VCPU", "Value": f"{array.cpus}"},
        {"Type": "MEMORY", "Value": str(array.memory_mb)},
    ]
    if array.gpus:
        needs.append({"Type": "GPU", "Value": str(array.gpus)})
    where = shlex.quote(array.url)
    run = f"exec python -m replay.array {where} --index $AWS_BATCH_JOB_ARRAY_INDEX --of "
    variables = [{"Name": name, "Value": value} for name, value in array.variables.items()]
    definition = {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": {
            "JobDefinitionName": array.name,
            "Type": "container",
            "PlatformCapabilities": ["EC2"],
            "ContainerProperties": {
                "Image": array.image,
                "Command": ["sh", "-c", run + str(tasks_of(array.shards))],
                "JobRoleArn": {"Ref": "JobRoleArn"},
                "ResourceRequirements": needs,
                **({"Environment": variables} if variables else {}),
            },
            "RetryStrategy": {
                # Batch takes ten at most; ends of the host's making come on top of a shard's own.
                "Attempts": 2 * ATTEMPTS + 4,
                "EvaluateOnExit": [
                    {"OnStatusReason": "Host EC2*", "Action": "RETRY"},
                    {"OnExitCode": "2", "Action": "EXIT"},
                    {"OnReason": "*", "Action": "RETRY"},
                ],
            },
        },
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Replay {array.name}: one array of AWS Batch over all shards",
        "Parameters": {
            "JobRoleArn": {
                "Type": "String",
                "Description": "Role that may read the archive and write the output",
            }
        },
        "Resources": {"Replay": definition},
        "Outputs": {"JobDefinition": {"Value": {"Ref": "Replay"}}},
    }


def submit_command(array: Array, queue: str) -> str:
    return (
        f"aws batch submit-job --job-name {array.name} --job-definition {array.name} "
        f"--job-queue {queue} --array-properties size={tasks_of(array.shards)}"
    )
