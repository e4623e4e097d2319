"""`AWS::IoT::Job` for CloudFormation, kept by the jobs engine.

Create-only: JobId, Targets, Document, DocumentSource, TargetSelection, retry; what else changes
is changed in place (registry schema of the type). A replaced or removed job is cancelled and
deleted, as the type's handler does it.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from devcloud.iot.cloud import IotCloud
from devcloud.iot.jobs.api import make
from devcloud.iot.jobs.model import IN_PROGRESS
from devcloud.plugin.resource import Place, Resource, as_api, register

_IN_PLACE = {
    "JobExecutionsRolloutConfig": "rollout",
    "AbortConfig": "abort",
    "TimeoutConfig": "timeout",
    "PresignedUrlConfig": "presign",
}


def install(cloud: IotCloud) -> None:
    IotJob.cloud = cloud
    register(IotJob)


class IotJob(Resource):
    type_name = "AWS::IoT::Job"
    cloud: ClassVar[IotCloud]
    properties: dict[str, Any]

    @classmethod
    def create(cls, place: Place, properties: dict[str, Any]) -> Resource:
        job = make(cls.cloud.region(place.region), as_api(properties))
        made = cls(place, job.id, {"JobArn": job.arn})
        made.properties = properties
        return made

    def update(self, properties: dict[str, Any]) -> Resource:
        changed = {
            name
            for name in {*properties, *self.properties}
            if properties.get(name) != self.properties.get(name)
        }
        if not changed <= {*_IN_PLACE, "Description"}:
            made = type(self).create(self.place, properties)
            if made.physical_resource_id != self.physical_resource_id:
                self.remove()
            return made
        region = self.cloud.region(self.place.region)
        with region.lock:
            job = region.engine.find(self.physical_resource_id)
            job.description = properties.get("Description", "")
            for name, attribute in _IN_PLACE.items():
                setattr(job, attribute, as_api(properties.get(name) or {}))
        self.properties = properties
        return self

    def remove(self) -> None:
        region = self.cloud.region(self.place.region)
        with region.lock:
            job = region.engine.jobs.get(self.physical_resource_id)
            if job is not None and job.status == IN_PROGRESS:
                region.engine.cancel(job, time.time(), force=True, reason="STACK")
            if job is not None:
                region.engine.remove(job.id, force=True)
        region.notify_devices()
