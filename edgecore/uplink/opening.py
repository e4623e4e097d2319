"""From the group and the arguments to a spooler and where it empties into."""

from __future__ import annotations

from typing import Any

from edgecore.core.group import Group
from edgecore.core.options import CoreError, Options
from edgecore.uplink.iot_sink import IotDataSink
from edgecore.uplink.local_sink import LocalSink
from edgecore.uplink.settings import spool_settings
from edgecore.uplink.sinks import Sink
from edgecore.uplink.spooler import Spooler
from edgecore.uplink.token_exchange import token_exchange


def open_spooler(options: Options, group: Group) -> Spooler:
    """On disk where the group asks for it. Raises CoreError for settings that are none."""
    try:
        settings = spool_settings(group)
    except ValueError as error:
        raise CoreError(str(error), exit_code=2) from error
    path = options.state / "spool.sqlite3" if settings.durable else None
    return Spooler(path, max_bytes=settings.max_bytes, policy=settings.policy)


def open_sink(options: Options, group: Group) -> Sink:
    """``--cloud``: files below the state directory, or AWS IoT's data endpoint."""
    if options.cloud != "iot":
        return LocalSink(options.state / "cloud")
    region = options.region or group.region

    def make_client() -> Any:
        import boto3

        exchange = token_exchange()
        session = boto3.Session() if exchange is None else exchange.session()
        return session.client("iot-data", endpoint_url=options.endpoint_url, region_name=region)

    return IotDataSink(make_client)
