"""Entry point of the aggregator Lambda (pinned, encoding type `json` or `binary`)."""

from __future__ import annotations

import os
import time
from typing import Any

from lambdas.aggregator.engine import Aggregator
from lambdas.aggregator.outbox import S3Sink, Uploader
from lambdas.aggregator.store import Store
from lambdas.common import log
from lambdas.common.bus import GreengrassBus
from lambdas.common.loop import Loop
from lambdas.common.settings import aggregator_settings

_settings = aggregator_settings()
log.configure(_settings.log_level)


def _s3_client() -> Any:
    # boto3 takes a second to import and half the memory; only who uses it pays.
    import boto3
    from botocore.config import Config

    # A bucket in the host's name needs a DNS that a development cloud does not have.
    style = "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"
    return boto3.client("s3", config=Config(s3={"addressing_style": style}))


def _s3_sink(store: Store) -> S3Sink:
    return S3Sink(_settings, store, Uploader(_settings.outbox_bucket, _s3_client))


_loop = Loop(
    Aggregator(
        _settings,
        GreengrassBus(),
        time.monotonic(),
        _s3_sink if _settings.outbox_bucket else None,
    )
).start()


def handler(event: Any, context: Any) -> None:
    """Hand one message over; the answer is an ack message."""
    _loop.put(context.client_context.custom["subject"], event)
