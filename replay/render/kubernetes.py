"""An Indexed Job (Kubernetes 1.29 and later: `backoffLimitPerIndex`); pure."""

from __future__ import annotations

from typing import Any

from replay.render.manifests import Array
from replay.shard import ATTEMPTS

#: Kubernetes' own limits for an Indexed Job, batch/v1 JobSpec.
MAX_TASKS, MAX_PARALLEL = 100_000, 10_000


def indexed_job(array: Array) -> dict[str, Any]:
    """The manifest as a value. A node that is drained costs none of an index's attempts."""
    tasks = min(array.shards, MAX_TASKS)
    resources: dict[str, Any] = {"cpu": str(array.cpus), "memory": f"{array.memory_mb}Mi"}
    if array.gpus:
        resources["nvidia.com/gpu"] = str(array.gpus)
    container = {
        "name": "replay",
        "image": array.image,
        # Kubernetes puts variables for $(…) in a command, and takes $$ for $.
        "command": ["python", "-m", "replay.array", array.url.replace("$", "$$"), "--index",
                    "$(JOB_COMPLETION_INDEX)", "--of", str(tasks)],
        "env": [{"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"fieldPath":
            "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}},
            *({"name": name, "value": value} for name, value in array.variables.items())],
        "resources": {"requests": dict(resources), "limits": dict(resources)},
    }  # fmt: skip
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": array.name},
        "spec": {
            "completionMode": "Indexed",
            "completions": tasks,
            "parallelism": min(array.parallel, tasks, MAX_PARALLEL),
            # Three ends, and the start that finds their marks and quarantines the shard.
            "backoffLimitPerIndex": ATTEMPTS,
            "maxFailedIndexes": tasks,
            "podFailurePolicy": {"rules": [{
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            }]},
            "template": {"spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 30,
                "containers": [container],
            }},
        },
    }  # fmt: skip
