"""Where a site's results go: batches, the store, the S3 outbox and the monitor."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.planning.fields import PositiveFloat, PositiveInt, Record

SNS_TOPIC_ARN = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$"
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class Outbox(Record):
    """Results as JSON Lines in S3, kept on disk until S3 has confirmed them."""

    bucket: BucketName | None = Field(
        default=None, description="A bucket that exists; absent: the site's own store."
    )
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9!_.*'()/=-]*[^/]$")] = Field(
        default="results", description="Key prefix, without a slash at its end."
    )
    max_bytes: Annotated[int, Field(ge=1_048_576)] = Field(
        default=2_147_483_648, description="Quota on disk; oldest dropped and counted."
    )
    every_s: Annotated[float, Field(ge=0.1, le=86_400)] = Field(
        default=5.0, description="One object per stream at most this often, or every 4 MiB."
    )


class Store(Record):
    """Where results land in AWS: one S3 bucket (docs/spec/cloud-results.md)."""

    bucket: BucketName | None = Field(
        default=None,
        description="A bucket that exists; absent: the stack makes one, and never deletes it.",
    )
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=730, description="Results older than this are deleted; of a bucket of the stack."
    )


class Monitor(Record):
    """Metrics, alarms and a dashboard in CloudWatch."""

    every_s: Annotated[int, Field(ge=10, le=300)] = Field(
        default=60, description="How often splitter and aggregator report."
    )
    no_results_min: Annotated[int, Field(ge=5, le=1_440)] | None = Field(
        default=60, description="Alarm after this long without a result, in steps of 5; null: none."
    )
    failed_records: PositiveInt | None = Field(
        default=10, description="Alarm at this many failed records in 5 minutes; null: none."
    )
    backlog_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=80, description="Alarm: backlog above this share of backlog.max_images; null: none."
    )
    worker_restarts: PositiveInt | None = Field(
        default=3, description="Alarm at this many worker restarts in 15 minutes; null: none."
    )
    sns_topic: Annotated[str, Field(pattern=SNS_TOPIC_ARN)] | None = Field(
        default=None,
        description="SNS topic that alarms are sent to; absent: they only show in CloudWatch.",
    )

    def contradictions(self) -> list[str]:
        if self.no_results_min and self.no_results_min % 5:
            return [f"no_results_min: {self.no_results_min} is not a multiple of 5; round it"]
        return []


class Cloud(Record):
    """Where results and reports go."""

    mqtt: bool = Field(default=True, description="Batches of results to AWS IoT.")
    batch_s: PositiveFloat = Field(
        default=1.0,
        description="A batch is sent when it is full (128 KB) or this old; each is an S3 object.",
    )
    store: Store | None = Field(
        default=Store(), description="Where batches and summaries land; null: nowhere."
    )
    outbox: Outbox | None = Field(default=None, description="S3 outbox; absent: off.")
    monitor: Monitor | None = Field(
        default=Monitor(), description="CloudWatch (with mqtt only); null: off."
    )

    def contradictions(self) -> list[str]:
        own = self.outbox is not None and self.outbox.bucket is None
        if own and self.store is None:
            return ["outbox: has no bucket and store is null; set a bucket, or keep the store"]
        top = self.outbox.prefix.split("/")[0] if self.outbox else ""
        if own and top in {"batches", "jobs"}:
            return [f"outbox.prefix: {top!r} is the rule's own folder there; use another"]
        return []
