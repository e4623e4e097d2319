"""AWS IoT Core by its data plane API (boto3), QoS 1, one message in flight as on V1."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from edgecore.uplink.sinks import Message, Refused, Unreachable

_NEVER = {
    "InvalidRequestException": "invalid_request",
    "RequestEntityTooLargeException": "too_large",
    "MethodNotAllowedException": "invalid_request",
}


class IotDataSink:
    """``make_client`` gives ``boto3.client("iot-data")`` and is asked at the first message,
    and again while it fails: a device without a region or keys spools. Refusals for rights
    are tried again: a policy can be put right while the messages wait."""

    name = "iot"
    max_messages = 1

    def __init__(self, make_client: Callable[[], Any]) -> None:
        self._make_client = make_client
        self._client: Any = None

    async def deliver(self, messages: Sequence[Message]) -> int:
        message = messages[0]
        await asyncio.to_thread(self._publish, message)
        return 1

    async def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _publish(self, message: Message) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self._client = self._make_client()
            self._client.publish(topic=message.topic, qos=1, payload=message.payload)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _NEVER:
                raise Refused(_NEVER[code], str(error)) from error
            raise Unreachable(str(error)) from error
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise Unreachable(f"{error}; check --region, --endpoint-url and the keys") from error
