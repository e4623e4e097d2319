"""The connection to AWS IoT, kept up: connect, say what is wrong, back off, connect again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contract.topic_filters import matches
from edgecore.uplink.backoff import Backoff
from edgecore.uplink.iot import quotas, reason_codes
from edgecore.uplink.iot.identity import Identity
from edgecore.uplink.iot.pacing import Pace
from edgecore.uplink.iot.port import CannotConnect, Closed, Connect, OnMessage, Session
from edgecore.uplink.iot.problems import Problem

log = logging.getLogger(__name__)

BASE_S, CAP_S = 2.0, 60.0
"""Jitter is in the upper half: never more than AWS's one CONNECT a second."""
LOOK_S = 2.0
"""So often a join file that is waited with is looked at again."""
STEADY_S = 30.0
"""A connection that stood so long starts the back-off anew."""
TAKEN_OVER_SHOWN_S = 600.0
ANSWER_S = 20.0
SHORT_ENDS = 3


@dataclass(eq=False)
class Listener:
    filters: tuple[str, ...]
    handler: OnMessage


class Link:
    """``run`` beside everything else. ``session`` is None while there is no connection."""

    def __init__(
        self,
        identity: Callable[[], Identity],
        connect: Connect,
        *,
        backoff: Backoff | None = None,
        pace: Pace | None = None,
    ) -> None:
        """``identity`` is asked before every attempt, so a corrected file restores the link. It
        raises ``CannotConnect`` where the device has none."""
        self._identity, self._connect = identity, connect
        self._backoff = backoff or Backoff(base_s=BASE_S, cap_s=CAP_S)
        self.pace = pace or Pace()
        self.session: Session | None = None
        self.problem: Problem | None = None
        self._listeners: list[Listener] = []
        self._watchers: list[Callable[[], None]] = []
        self._refused_filters: dict[str, str] = {}
        self._since: float | None = None
        self._connects = 0
        self._short_ends = 0
        self._taken_over: list[float] = []
        self._sending = asyncio.Semaphore(quotas.SERVICES_IN_FLIGHT)
        self._tried: Identity | None = None

    # for users of the link

    def watch(self, changed: Callable[[], None]) -> None:
        """``changed`` is called when the connection is up (and subscribed) or gone."""
        self._watchers.append(changed)

    async def listen(self, filters: Sequence[str], handler: OnMessage) -> Listener:
        """Messages on ``filters``, on this connection and every later one."""
        listener = Listener(tuple(filters), handler)
        self._listeners.append(listener)
        if (session := self.session) is not None:
            try:
                await self._subscribe(session, filters)
            except asyncio.TimeoutError:
                await self.give_up(session, "no answer to SUBSCRIBE")
        return listener

    async def leave(self, listener: Listener) -> None:
        self._listeners.remove(listener)
        gone = [f for f in listener.filters if f not in self._filters()]
        for one in gone:
            self._refused_filters.pop(one, None)
        if self.session is not None and gone:
            with contextlib.suppress(asyncio.TimeoutError):
                await self.session.unsubscribe(gone)

    async def send(self, topic: str, payload: bytes) -> int | None:
        """QoS 1, past the spool: for shadows and jobs, which ask again. The reason code;
        None: not connected, or the connection ended before the answer."""
        async with self._sending:
            loop = asyncio.get_running_loop()
            while (wait_s := self.pace.wait_s(loop.time())) > 0:
                await asyncio.sleep(wait_s)
            if self.session is None:
                return None
            session = self.session
            self.pace.sent(loop.time(), len(payload))
            answer = session.publish(topic, payload)
            answer.add_done_callback(lambda _: self.counted(session))
            await asyncio.wait({answer}, timeout=ANSWER_S)
            return answer.result() if answer.done() and not answer.cancelled() else None

    async def give_up(self, session: Session, words: str) -> None:
        """End a connection that is of no use any more; another is made after the back-off."""
        log.warning("cloud: giving the connection up: %s", words)
        self.problem = Problem("silence", f"{words}; connecting again")
        await session.end(words)

    def counted(self, session: Session) -> None:
        """The far side has answered a message of this connection."""
        if session is self.session and not session.closed.done():
            self.pace.answered(asyncio.get_running_loop().time())

    def answered(self) -> None:
        """The far side acknowledged something: it is not silent any more."""
        if self.problem is not None and self.session is not None:
            self.problem = None

    def status(self) -> dict[str, Any]:
        """For ``/api/status``: ``link`` (docs/spec/iot.md)."""
        now = time.monotonic()  # a wall clock may be set at any time
        recent = [t for t in self._taken_over if now - t < TAKEN_OVER_SHOWN_S]
        return {
            "connected": self.session is not None,
            "since": self._since,
            "problem": self.problem.kind if self.problem else None,
            "message": self.problem.message if self.problem else None,
            "connects": self._connects,
            "taken_over": len(recent),
            "refused_filters": dict(self._refused_filters),
        }

    # the connection

    async def run(self) -> None:
        """Until cancelled. Never raises for what the world does."""
        try:
            while True:
                await self._once()
                await self._rest(self._backoff.next_s())
        finally:
            if self.session is not None:
                await self.session.end("the core ends")

    async def _rest(self, seconds: float) -> None:
        """Until the next attempt: at once where the device's identity is another by now."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left_s := until - loop.time()) > 0:
            await asyncio.sleep(min(left_s, LOOK_S))
            with contextlib.suppress(CannotConnect):
                if self._identity() != self._tried:
                    self._backoff.reset()
                    return

    async def _once(self) -> None:
        self._tried = None
        try:
            self._tried = identity = self._identity()
            session = await self._connect(identity, self._arrived)
        except CannotConnect as error:
            self._report(error.problem)
            return
        except Exception as error:
            log.exception("cloud: connecting failed")
            self._report(Problem("network", f"connecting failed: {error}"))
            return
        self._connects += 1
        began = asyncio.get_running_loop().time()
        if not await self._subscribed(session):
            return
        self._up(session, identity)
        closed = await asyncio.shield(session.closed)
        self._short_ends += 1
        if asyncio.get_running_loop().time() - began >= STEADY_S:
            self._backoff.reset()
            self._short_ends = 0
        await session.end("ended")
        self._down(closed, identity)

    async def _subscribed(self, session: Session) -> bool:
        """Before anybody is told that the link is up; a silent server is given up."""
        try:
            await self._subscribe(session, self._filters())
        except asyncio.TimeoutError:
            await session.end("no answer to SUBSCRIBE")
            closed = session.closed.result()
            words = closed.words if closed.by_peer else "no answer to SUBSCRIBE"
            self._report(Problem("closed", f"the connection ended while subscribing ({words}); "
                "check iot:Subscribe in the certificate's policy"))  # fmt: skip
            return False
        return True

    async def _subscribe(self, session: Session, filters: Sequence[str]) -> None:
        step = quotas.MAX_FILTERS_PER_SUBSCRIBE
        for first in range(0, min(len(filters), quotas.MAX_SUBSCRIPTIONS), step):
            some = filters[first : first + step]
            codes = await session.subscribe(some)
            for one, code in zip(some, codes, strict=False):
                if code >= reason_codes.FAILURE:
                    self._refuse_filter(one, reason_codes.words(code))
                else:
                    self._refused_filters.pop(one, None)
        for one in filters[quotas.MAX_SUBSCRIPTIONS :]:
            self._refuse_filter(one, f"over {quotas.MAX_SUBSCRIPTIONS} subscriptions")

    def _refuse_filter(self, one: str, words: str) -> None:
        if self._refused_filters.get(one) != words:
            log.error("cloud: no messages on %s: %s; check iot:Subscribe in the policy", one, words)
        self._refused_filters[one] = words

    def _filters(self) -> list[str]:
        return list(dict.fromkeys(f for one in self._listeners for f in one.filters))

    def _up(self, session: Session, identity: Identity) -> None:
        if session.closed.done():
            return
        self.session, self._since = session, time.time()
        self.pace.begin()
        if self.problem is not None and self.problem.kind != "silence":
            self.problem = None
        log.info("cloud: connected to %s:%d as %s", identity.host, identity.port, identity.thing)
        self._changed()

    def _down(self, closed: Closed, identity: Identity) -> None:
        self.session = None
        self._since = None
        if closed.code == reason_codes.TAKEN_OVER:
            self._taken_over.append(time.monotonic())
            self._report(Problem("taken_over", "another device connected as "
                f"{identity.thing!r}, so AWS IoT ended this connection: two cores use one "
                "certificate; provision one of them as a thing of its own"))  # fmt: skip
        elif closed.by_peer:
            self._report(Problem("closed", f"{identity.host} ended the connection ({closed.words})"
                f"{_again(self._short_ends)}; connecting again"))  # fmt: skip
        self._changed()

    def _report(self, problem: Problem) -> None:
        if self.problem is None or self.problem.message != problem.message:
            log.warning("cloud: %s", problem.message)
        self.problem = problem

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()

    def _arrived(self, topic: str, payload: bytes) -> None:
        self.pace.arrived(asyncio.get_running_loop().time(), len(payload))
        for listener in list(self._listeners):
            if any(matches(one, topic) for one in listener.filters):
                try:
                    listener.handler(topic, payload)
                except Exception:
                    log.exception("cloud: a message on %s was not handled", topic)


def _again(short_ends: int) -> str:
    """MQTT 3.1.1 and some brokers end a connection that was taken over without a word."""
    if short_ends < SHORT_ENDS:
        return ""
    return (
        f" soon, {SHORT_ENDS} times and more: does another core use the same certificate, "
        "or does a proxy or firewall drop the connection?"
    )
