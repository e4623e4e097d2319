"""Names of what target iot makes of a site; the same at every render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.planning.storage import bucket_name_of

JOB_PREFIX_CHARS = 40
"""Of a job id's 64 characters; the rest is a time and a digest."""
_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


@dataclass(frozen=True)
class IotNames:
    """`site`, `account`, `region` as in the document."""

    site: str
    account: str
    region: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> IotNames:
        return cls(document["Name"], document["Account"], document["Region"])

    @property
    def partition(self) -> str:
        return next((p for k, p in _PARTITIONS.items() if self.region.startswith(k)), "aws")

    @property
    def policy(self) -> str:
        return f"fanfold-{self.site}-core"

    @property
    def role_alias(self) -> str:
        return f"fanfold-{self.site}"

    @property
    def bucket(self) -> str:
        """Artifacts of deployments: group documents, code, models."""
        return bucket_name_of(self.site, self.account, self.region, "jobs")

    @property
    def job_prefix(self) -> str:
        """Of every job of the site; it ends in a mark that no site name has."""
        return f"fanfold-{self.site}"[:JOB_PREFIX_CHARS] + "_"

    def arn(self, resource: str) -> str:
        return f"arn:{self.partition}:iot:{self.region}:{self.account}:{resource}"

    def target(self, document: Mapping[str, Any]) -> str:
        """ARN of the thing or the thing group that the job is for."""
        if group := document["Target"].get("Group"):
            return self.arn(f"thinggroup/{group}")
        return self.arn(f"thing/{document['Core']['ThingName']}")
