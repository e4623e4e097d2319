"""The port over paho-mqtt: MQTT 5, clean start, one client per connection.

paho resends by itself on reconnecting, out of order, and knows neither the server's receive
maximum nor an acknowledgement timer; a client that is never reconnected does none of that.
Its network thread calls back; everything else happens in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgecore.uplink.iot import reason_codes
from edgecore.uplink.iot.identity import Identity
from edgecore.uplink.iot.paho_client import Client, in_a_thread_of_its_own
from edgecore.uplink.iot.port import CannotConnect, Closed, OnMessage
from edgecore.uplink.iot.problems import Problem, of_connecting
from edgecore.uplink.iot.tls import UnusableIdentity, device_context, own_certificate_problem

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
CONNACK_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 20.0
KEEP_ALIVE_S = 60
"""AWS allows 30 to 1200; its SDK's default of 1200 leaves a dead link unseen for 20 minutes."""
RECEIVE_MAXIMUM = 50
ANY_NUMBER = 65_535
"""What MQTT 5 means where a CONNACK names no receive maximum."""
WHERE_THE_CERTIFICATE_TELLS = ("certificate", "not_authorized", "refused", "closed", "clock")
"""Problems that this device's own certificate or clock may explain better than the far side."""


async def connect(identity: Identity, on_message: OnMessage) -> PahoSession:
    """Raises ``CannotConnect`` with the most telling problem that is known."""
    session = PahoSession(identity, on_message)
    try:
        await session.open()
    except asyncio.CancelledError:
        await session.end("the core ends")
        raise
    except UnusableIdentity as error:
        raise CannotConnect(error.problem) from error
    except CannotConnect as error:
        known = await asyncio.to_thread(own_certificate_problem, identity)
        tells = error.problem.kind in (
            "certificate",
            "not_authorized",
            "refused",
            "closed",
            "clock",
        )
        raise CannotConnect(known if known and tells else error.problem) from error
    return session


class PahoSession:
    """``edgecore.uplink.iot.port.Session``; ``open`` first."""

    def __init__(self, identity: Identity, on_message: OnMessage) -> None:
        self._identity = identity
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[int] = self._loop.create_future()
        self.closed: asyncio.Future[Closed] = self._loop.create_future()
        self._acks: dict[int, asyncio.Future[int]] = {}
        self._answers: dict[int, asyncio.Future[list[int]]] = {}
        self.receive_maximum = ANY_NUMBER
        self._ending: str | None = None
        self._logged = ""
        self._client: paho.Client

    async def open(self) -> None:
        """Resolve, connect, shake hands, CONNECT. Raises CannotConnect, UnusableIdentity."""
        identity = self._identity
        context = await asyncio.to_thread(device_context, identity, alpn=True)
        self._client = self._make_client(context)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        try:
            await in_a_thread_of_its_own(
                lambda: self._client.connect(
                    identity.host,
                    identity.port,
                    KEEP_ALIVE_S,
                    clean_start=True,
                    properties=properties,
                )
            )
        except Exception as error:  # sockets, TLS, DNS and PySocks have no common base
            problem = of_connecting(error, identity.host, identity.port, identity.proxy)
            raise CannotConnect(problem) from error
        self._client.loop_start()
        await asyncio.wait({self._connected}, timeout=CONNACK_TIMEOUT_S)
        if not self._connected.done():
            await self.end("no CONNACK")
            raise CannotConnect(self._no_connack())
        code = self._connected.result()
        self._client.on_log = None
        if code >= reason_codes.FAILURE:
            await self.end("refused")
            raise CannotConnect(self._refused(code))

    def _make_client(self, context: Any) -> paho.Client:
        client = Client(
            self._identity.proxy,
            CallbackAPIVersion.VERSION2,
            client_id=self._identity.thing,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # no limit of paho's: ours is the window
        client.tls_set_context(context)
        client.on_connect = self._when_connected
        client.on_disconnect = self._when_disconnected
        client.on_publish = self._when_acknowledged
        client.on_subscribe = client.on_unsubscribe = self._when_answered
        client.on_message = self._when_message
        client.on_log = self._when_logged
        return client

    def publish(self, topic: str, payload: bytes) -> asyncio.Future[int]:
        future: asyncio.Future[int] = self._loop.create_future()
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != paho.MQTT_ERR_SUCCESS or self.closed.done():
            future.cancel()
        else:
            self._acks[info.mid] = future
        return future

    async def subscribe(self, filters: Sequence[str]) -> list[int]:
        options = SubscribeOptions(qos=1)
        _, mid = self._client.subscribe([(one, options) for one in filters])
        return await self._answer(mid)

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        _, mid = self._client.unsubscribe(list(filters))
        await self._answer(mid)

    async def end(self, words: str) -> None:
        self._ending = self._ending or words
        if hasattr(self, "_client"):
            await asyncio.to_thread(self._stop)
        self._close(Closed(False, None, self._ending))

    def _stop(self) -> None:
        with contextlib.suppress(Exception):
            self._client.disconnect()
        with contextlib.suppress(Exception):
            self._client.loop_stop()

    async def _answer(self, mid: int | None) -> list[int]:
        if mid is None or self.closed.done():
            raise asyncio.TimeoutError
        future: asyncio.Future[list[int]] = self._loop.create_future()
        self._answers[mid] = future
        await asyncio.wait({future}, timeout=ANSWER_TIMEOUT_S)
        self._answers.pop(mid, None)
        if not future.done() or future.cancelled():
            raise asyncio.TimeoutError
        return future.result()

    def _refused(self, code: int) -> Problem:
        identity, words = self._identity, reason_codes.words(code)
        if code == reason_codes.NOT_AUTHORIZED:
            return Problem("not_authorized", f"{identity.host} does not let {identity.thing!r} "
                f"connect: {words}; its certificate needs a policy with iot:Connect on "
                f"client/{identity.thing}, and must be attached to that thing")  # fmt: skip
        return Problem("busy", f"{identity.host} refuses the connection: {words}; tried again")

    def _no_connack(self) -> Problem:
        identity = self._identity
        said = f" ({self._logged})" if self._logged else ""
        return Problem("silence", f"{identity.host}:{identity.port} takes the connection and "
            f"answers nothing{said}; check that this is AWS IoT's MQTT endpoint")  # fmt: skip

    def _dropped(self) -> Problem:
        """The far side hung up instead of answering: with TLS 1.3 that is how it refuses."""
        identity = self._identity
        said = f" ({self._logged})" if self._logged else ""
        return Problem("not_authorized", f"{identity.host}:{identity.port} hung up on "
            f"{identity.thing!r} before it answered{said}; check that the certificate is active "
            f"and attached to the thing, and that its policy allows iot:Connect on "
            f"client/{identity.thing}")  # fmt: skip

    # paho's network thread

    def _when_connected(self, _c: Any, _u: Any, _f: Any, reason: Any, properties: Any) -> None:
        allowed = getattr(properties, "ReceiveMaximum", None) or ANY_NUMBER
        self._call(self._settle_connect, int(reason.value), int(allowed))

    def _when_disconnected(self, _c: Any, _u: Any, flags: Any, reason: Any, _p: Any) -> None:
        told = bool(flags.is_disconnect_packet_from_server)
        code = int(reason.value) if told else None
        said = reason_codes.words(code) if code is not None else self._logged or "connection lost"
        self._call(self._close, Closed(self._ending is None, code, self._ending or said))

    def _when_acknowledged(self, _c: Any, _u: Any, mid: int, reason: Any, _p: Any) -> None:
        self._call(self._settle_ack, mid, int(reason.value))

    def _when_answered(self, _c: Any, _u: Any, mid: int, reasons: Any, _p: Any) -> None:
        codes = [int(r.value) for r in (reasons if isinstance(reasons, list) else [reasons])]
        self._call(self._settle_answer, mid, codes)

    def _when_message(self, _c: Any, _u: Any, message: Any) -> None:
        self._call(self._on_message, message.topic, bytes(message.payload))

    def _when_logged(self, _c: Any, _u: Any, level: int, text: str) -> None:
        if level in (LogLevel.MQTT_LOG_ERR, LogLevel.MQTT_LOG_WARNING):
            self._logged = text

    def _call(self, function: Any, *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
            self._loop.call_soon_threadsafe(function, *arguments)

    # the event loop

    def _settle_connect(self, code: int, receive_maximum: int) -> None:
        self.receive_maximum = receive_maximum
        if not self._connected.done():
            self._connected.set_result(code)

    def _settle_ack(self, mid: int, code: int) -> None:
        future = self._acks.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(code)

    def _settle_answer(self, mid: int, codes: list[int]) -> None:
        future = self._answers.get(mid)
        if future is not None and not future.done():
            future.set_result(codes)

    def _close(self, closed: Closed) -> None:
        if self.closed.done():
            return
        self.closed.set_result(closed)
        if not self._connected.done():
            self._connected.set_exception(CannotConnect(self._dropped()))
            self._connected.exception()  # looked at: ``open`` may have given up before
        for ack in self._acks.values():
            ack.cancel()
        for answer in self._answers.values():
            answer.cancel()
        self._acks.clear()
