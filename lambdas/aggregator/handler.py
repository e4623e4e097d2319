"""Entry point of the aggregator Lambda (pinned, encoding type `json` or `binary`)."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from lambdas.aggregator.engine import Aggregator
from lambdas.aggregator.outbox import S3Sink, Uploader
from lambdas.aggregator.store import Store
from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.loop import Loop, Part, hands_over
from lambdas.common.settings import AggregatorSettings, aggregator_settings
from lambdas.common.starting import starting
from lambdas.common.state_volume import opened
from lambdas.common.variables import SettingsError


def _s3_client() -> Any:
    # boto3 takes a second to import and half the memory; only who uses it pays.
    import boto3
    from botocore.config import Config

    # A bucket in the host's name needs a DNS that a development cloud does not have.
    style = "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"
    return boto3.client("s3", config=Config(s3={"addressing_style": style}))


def _aggregator(settings: AggregatorSettings) -> Part:
    def s3_sink(store: Store) -> S3Sink:
        return S3Sink(settings, store, Uploader(settings.outbox_bucket, _s3_client))

    bus, sink = GreengrassBus(), s3_sink if settings.outbox_bucket else None
    return opened(
        "aggregator",
        settings.own_state_dir,
        lambda now: Aggregator(settings, bus, now, sink),
        time.monotonic(),
        bus,
        settings.stats_topic,
    )


# A state directory that cannot be made, a database that cannot be opened: they name themselves.
with starting("aggregator", SettingsError, OSError, sqlite3.OperationalError):
    _settings = aggregator_settings()
    log.configure(_settings.log_level)
    _part = _aggregator(_settings)
_loop = Loop(_part).start()


@hands_over
def handler(event: Any, context: Any) -> None:
    """Hand one message over; the answer is an ack message."""
    _loop.put(context.client_context.custom["subject"], event)
