"""The spool's sink over the link: window, pace, patience and verdicts put to work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from contract.status import UplinkStatus
from contract.topic_filters import topic_problem
from edgecore.uplink.iot import quotas, reason_codes
from edgecore.uplink.iot.link import Link
from edgecore.uplink.iot.port import Closed, Session
from edgecore.uplink.iot.refused import RefusedMessages
from edgecore.uplink.iot.suspects import REST_S, Key, Suspects
from edgecore.uplink.iot.waiting import set_within
from edgecore.uplink.iot.window import Window
from edgecore.uplink.sinks import Message, Refused, Unreachable

GATHER_S = 0.05
"""Answers that come together settle together: one commit of the spool for all of them."""
LOOK_AHEAD_WINDOWS = 4
"""The spool shows so much, so that the window stays full while it commits what was answered."""
IDLE_S = 1.0


class MqttSink:
    """At most a window in flight; ``deliver`` returns as soon as the front is accepted, and
    what it leaves in flight is known at the next call."""

    name = "iot-mqtt"

    def __init__(
        self, link: Link, refused: RefusedMessages, *, window: Window | None = None
    ) -> None:
        self._link, self._refused = link, refused
        self._window = window or Window()
        self.max_messages = LOOK_AHEAD_WINDOWS * self._window.max_messages
        self.max_bytes = LOOK_AHEAD_WINDOWS * quotas.WINDOW_BYTES
        self._suspects = Suspects()
        self._session: Session | None = None
        self._session_since = 0.0
        self._sent_at: dict[Key, float] = {}
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        link.watch(self._wake.set)

    async def deliver(self, messages: Sequence[Message]) -> int:
        """Waits while there is no connection: the link says what is wrong with it."""
        self._window.align(messages)
        while True:
            self._wake.clear()
            self._follow_link()
            await self._judge_front()
            if settled := await self._settled():
                return settled
            await set_within(self._wake, await self._push())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._refused.close()

    def status(self) -> UplinkStatus:
        return {
            "in_flight": self._window.in_flight,
            "window": self._window.max_messages,
            "one_at_a_time": self._suspects.alone,
            "forbidden_topics": self._suspects.topics(self._clock()),
            "quarantined": self._refused.stats(),
        }

    def _follow_link(self) -> None:
        session = self._link.session
        if self._session is not None and self._session.closed.done():
            self._learn_from(self._session.closed.result())
            self._window.lost()
            self._sent_at.clear()
            self._session = None
        if session is not None and session is not self._session and not session.closed.done():
            self._session, self._session_since = session, self._clock()
            left = session.receive_maximum - quotas.SERVICES_IN_FLIGHT
            self._window.allowed = max(1, left)

    def _learn_from(self, closed: Closed) -> None:
        oldest = min(self._sent_at, default=None)
        self._suspects.closed(
            by_peer=closed.by_peer,
            code=closed.code,
            in_flight=len(self._sent_at),
            key=oldest,
            age_s=self._clock() - self._sent_at[oldest] if oldest else 0.0,
        )

    async def _judge_front(self) -> None:
        """Raises Refused for a front that is never taken, Unreachable for one to try again."""
        front = self._window.front
        if front is None:
            return
        if problem := topic_problem(front.topic):
            await self._refuse(front, "topic_invalid", problem)
        if len(front.payload) > quotas.MAX_PAYLOAD_BYTES:
            await self._refuse(front, "too_large", str(self._unsendable(front)))
        if self._suspects.is_poison(_key(front), front.topic, self._clock()):
            await self._refuse(front, "ends_connection", "AWS IoT ends the connection over it; "
                "allow its topic in the certificate's policy (iot:Publish)")  # fmt: skip
        code = self._window.refused()
        if code is None:
            return
        words = reason_codes.words(code)
        if reason := reason_codes.refusal(code):
            await self._refuse(front, reason, f"{words}; check iot:Publish in the policy")
        self._window.again()
        raise Unreachable(f"AWS IoT does not take a message on {front.topic!r} now: {words}")

    async def _refuse(self, message: Message, reason: str, detail: str) -> None:
        await self._refused.keep(message, reason, detail)
        raise Refused(reason, detail)

    async def _settled(self) -> int:
        if not self._window.settled():
            return 0
        if self._window.in_flight:
            await asyncio.sleep(GATHER_S)
        return self._window.settled()

    async def _push(self) -> float:
        """Send what may be sent now; for how long nothing else is to be done."""
        session = self._session
        if session is None or session.closed.done():
            return IDLE_S
        self._pump()
        silence_left_s = self._window.silence_left_s(self._clock())
        if silence_left_s is not None and silence_left_s <= 0:
            await self._link.give_up(session, "AWS IoT did not acknowledge a message in time")
            return 0.0
        return min(IDLE_S, silence_left_s or IDLE_S)

    def _pump(self) -> None:
        """Keeps the window full: also called by answers, while the spool commits others."""
        session = self._session
        if session is None or session.closed.done() or self._timer is not None:
            return
        while (message := self._next()) is not None:
            now = self._clock()
            wait_s = self._link.pace.wait_s(now)
            if self._suspects.alone:
                wait_s = max(wait_s, self._session_since + REST_S - now)
            if wait_s > 0:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._paced)
                return
            self._send(session, message, now)

    def _paced(self) -> None:
        self._timer = None
        self._pump()

    def _next(self) -> Message | None:
        if self._suspects.alone and self._window.in_flight:
            return None
        message = self._window.next()
        if message is None or message is self._window.front:
            return message
        return None if self._unsendable(message) else message  # judged once it is the front

    def _unsendable(self, message: Message) -> str | None:
        """Why AWS IoT would end the connection over it, as far as is known."""
        if problem := topic_problem(message.topic):
            return problem
        if len(message.payload) > quotas.MAX_PAYLOAD_BYTES:
            return f"{len(message.payload)} bytes (limit {quotas.MAX_PAYLOAD_BYTES})"
        known = self._suspects.knows(message.topic, self._clock())
        return "its topic ends the connection" if known else None

    def _send(self, session: Session, message: Message, now: float) -> None:
        self._link.pace.sent(now, len(message.payload) + len(message.topic))
        self._window.sent(message, now)
        self._sent_at[_key(message)] = now
        answer = session.publish(message.topic, message.payload)
        answer.add_done_callback(partial(self._answered, session, message))

    def _answered(self, session: Session, message: Message, answer: asyncio.Future[int]) -> None:
        self._wake.set()
        if answer.cancelled() or session is not self._session:
            return
        self._link.counted(session)
        self._link.answered()
        self._sent_at.pop(_key(message), None)
        self._window.answered(message, answer.result(), self._clock())
        self._suspects.accepted(_key(message))
        self._pump()


def _key(message: Message) -> Key:
    return message.epoch, message.id
