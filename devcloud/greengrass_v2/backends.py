"""The service of each account and region, on moto's storage and the data plane's jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from devcloud.greengrass_v2.service import Deployment, GreengrassV2

if TYPE_CHECKING:
    from devcloud.iot.cloud import IotCloud

_JOB = (
    "jobExecutionsRolloutConfig",
    "abortConfig",
    "timeoutConfig",
)
_known: dict[tuple[str, str], GreengrassV2] = {}
_clouds: list[IotCloud] = []


def use(cloud: IotCloud) -> None:
    """Jobs of deployments go to this data plane's devices."""
    _clouds[:] = [cloud]


def service_of(account: str, region: str) -> GreengrassV2:
    key = (account, region)
    if key not in _known:
        _known[key] = GreengrassV2(account, region, _reader(account), _members(account, region),
            _jobs(region))  # fmt: skip
    return _known[key]


def _reader(account: str) -> Any:
    def read(bucket: str, key: str) -> bytes | None:
        from moto.s3.models import s3_backends

        backend = s3_backends[account]["aws"]
        if bucket not in backend.buckets:
            return None
        found = backend.get_object(bucket, key)
        return None if found is None else bytes(found.value)

    return read


def _members(account: str, region: str) -> Any:
    def members(target: str) -> list[str]:
        from moto.iot.models import iot_backends

        from devcloud.iot.registry import Registry

        if ":thinggroup/" not in target:
            return [target.rpartition("/")[2]]
        return Registry(iot_backends[account][region]).members(target)

    return members


def _jobs(region: str) -> Any:
    def offer(made: Deployment, document: dict[str, Any]) -> None:
        """As the service does: one job for the target, continuous for a group."""
        if not _clouds:
            return
        from devcloud.iot.jobs.api import make

        terms = made.given.get("iotJobConfiguration") or {}
        make(
            _clouds[0].region(region),
            {
                "jobId": made.id,
                "targets": [made.target],
                "document": json.dumps(document, separators=(",", ":")),
                "targetSelection": "CONTINUOUS" if ":thinggroup/" in made.target else "SNAPSHOT",
                **{name: terms[name] for name in _JOB if name in terms},
            },
        )

    return offer
