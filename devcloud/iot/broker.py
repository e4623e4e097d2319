"""Who is connected, who has subscribed to what, and where a message goes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from devcloud.iot.connection import TAKEN_OVER, Connection, Ended
from devcloud.iot.packets import Message
from devcloud.iot.session import Session
from devcloud.iot.settings import Settings

log = logging.getLogger("devcloud")

Handler = Callable[[Connection, Message], bool]
"""Takes a message on a topic of the service's own; False: it is an ordinary one."""


class Broker:
    """Lives in one event loop; `threadsafe` methods may be called from anywhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.settings = Settings()
        self._sessions: dict[str, Session] = {}
        self._retained: dict[str, Message] = {}
        self.handlers: list[Handler] = []
        self.on_message: Callable[[Connection, Message], None] = lambda _c, _m: None

    def take_over(
        self, connection: Connection, *, clean: bool, life_s: int
    ) -> tuple[Session, bool]:
        """The client's session, and whether it was there; who had the client id before is cut."""
        found = self._sessions.get(connection.client_id)
        if found is not None and found.connection is not None:
            log.info("iot: %s: taken over by a second connection", connection.client_id)
            found.connection.cut(Ended(TAKEN_OVER, "DUPLICATE_CLIENTID"))
            found.disconnected()
        present = found is not None and not clean and not found.expired()
        session = found if present and found else Session(connection.client_id)
        session.life_s, session.connection = life_s, connection
        self._sessions[connection.client_id] = session
        return session, present

    def left(self, connection: Connection) -> None:
        session = connection.session
        if session is None or session.connection is not connection:
            return  # taken over: the session is another's by now
        session.disconnected()
        if not session.life_s:
            self._sessions.pop(session.client_id, None)

    def publish(self, connection: Connection, message: Message) -> None:
        """A client's message that its policies allow."""
        if any(handler(connection, message) for handler in self.handlers):
            return
        if message.topic.startswith("$"):
            raise Ended(0x90, "CLIENT_ERROR", f"{message.topic} is no topic of a service here")
        self.on_message(connection, message)
        self.route(message)

    def route(self, message: Message) -> None:
        """To every session that has subscribed to it."""
        if message.retain:
            self._retain(message)
        for session in list(self._sessions.values()):
            qos = session.qos_of(message.topic)
            if qos is not None and not session.expired():
                session.put(replace(message, qos=min(qos, message.qos), retain=False))

    def route_threadsafe(self, message: Message) -> None:
        self.loop.call_soon_threadsafe(self.route, message)

    def send_retained(self, session: Session, pattern: str) -> None:
        """AWS matches retained messages exactly: a wildcard gets none."""
        found = self._retained.get(pattern)
        if found is not None and pattern in session.subscriptions:
            session.put(replace(found, qos=min(found.qos, session.subscriptions[pattern])))

    def presence(self, connection: Connection, event: str, reason: str | None = None) -> None:
        said: dict[str, Any] = {
            "clientId": connection.client_id,
            "timestamp": int(time.time() * 1000),
            "eventType": event,
            "principalIdentifier": connection.peer.certificate_id,
            "clientInitiatedDisconnect": reason == "CLIENT_INITIATED_DISCONNECT",
        }
        if reason:
            said["disconnectReason"] = reason
        self.publish_event(f"$aws/events/presence/{event}/{connection.client_id}", said)

    def publish_event(self, topic: str, body: dict[str, Any]) -> None:
        """A message of the service's own, through the broker."""
        self.route(Message(topic, json.dumps(body, separators=(",", ":")).encode(), qos=1))

    def loses(self, fault: str) -> bool:
        """Whether the next one is to be lost (`Settings`); counts it down."""
        left = getattr(self.settings, fault)
        if left > 0:
            self.settings = replace(self.settings, **{fault: left - 1})
        return bool(left > 0)

    def connections(self) -> list[Connection]:
        found = [s.connection for s in self._sessions.values()]
        return [each for each in found if isinstance(each, Connection)]

    def cut(self, client_id: str | None = None, certificate_id: str | None = None) -> int:
        """Abort connections, of one client, of one certificate, or all; how many there were."""
        found = [
            each
            for each in self.connections()
            if client_id in (None, each.client_id)
            and certificate_id in (None, each.peer.certificate_id)
        ]
        for each in found:
            each.cut()
        return len(found)

    def _retain(self, message: Message) -> None:
        if message.payload:
            self._retained[message.topic] = message
        else:
            self._retained.pop(message.topic, None)
