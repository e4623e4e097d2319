"""One thread that owns a part's state; the core's handler thread only hands over.

A pinned Lambda gets one message at a time. If the handler did the work, every journal
commit would cost one message, and a burst would sit in the core's queue, which is
bounded and silent. So the handler puts the message into this inbox and returns; the
loop takes everything that has come since, in one step: one commit for all of it, with
no waiting time added for a message that comes alone. After a step that took several it
waits a moment, for the others of those who send at the same time; the longer, the more they are.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, NamedTuple

from contract.timing import LONGEST_STEP_S
from lambdas.common.log import get_logger
from lambdas.common.waiting import WakeUp, ended_within

# What is in the inbox is not accepted yet: losing it costs a resend. The bounds only
# keep memory small while a commit is slow.
MAX_MESSAGES = 4_096
MAX_BYTES = 64 << 20
EXIT_BROKEN = 70
# Items that our runtime fetches at once for a handler that only hands them over.
ITEMS_AT_ONCE = 32
# A step costs a commit, however many messages it takes. Who sends alone is not kept waiting, and
# two wait less for one another than a commit takes.
GATHER_S_EACH = 0.001
GATHER_S_MOST = 0.008
ENOUGH_MESSAGES = 32
# Steps of a part that is idle: what happens every second is still on time.
IDLE_TICKS = 5

_log = get_logger("loop")


class Message(NamedTuple):
    subject: str
    payload: Any


class Part:
    """What a loop drives. `now` is monotonic seconds, `wall` seconds since 1970."""

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        raise NotImplementedError

    def others_likely(self, messages: list[Message]) -> int:
        """How many of them tell of more to come, with which a step is cheaper."""
        return len(messages)

    def rest(self) -> None:
        """After a step behind which nothing waits."""

    def idle(self) -> bool:
        """Nothing but the clock's seconds is waited for: the next step may come later."""
        return False

    def close(self) -> None:
        """Leave everything as a restart wants to find it."""


def hands_over(handler: Any) -> Any:
    """Says of a handler that it only puts messages into a loop. Our runtime then fetches several
    at once (docs/spec/ipc.md); AWS's does not look."""
    handler.items_at_once = ITEMS_AT_ONCE
    return handler


def _die(error: BaseException) -> None:
    # State may be half changed; the journal is not. A restart reads the journal.
    _log.critical("stopping for a restart from the journal: %r", error, exc_info=error)
    os._exit(EXIT_BROKEN)


class WaitingClock:
    """Seconds in which this process could have heard the others.

    Monotonic, but one step adds at most `LONGEST_STEP_S`: after the machine slept or the
    process was stopped, nobody has been silent for as long, and what they said still waits
    in the core's queue. So a pause withdraws no credits and opens no gaps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = self.now = clock()

    def tick(self) -> float:
        read = self._clock()
        self.now += min(max(read - self._last, 0.0), LONGEST_STEP_S)
        self._last = read
        return self.now


def gather_s(messages: int) -> float:
    """How long the step after one of so many messages waits for those of others."""
    return min(GATHER_S_EACH * messages, GATHER_S_MOST) if messages > 1 else 0.0


class Loop:
    def __init__(
        self, part: Part, tick_s: float = 0.05, on_error: Callable[[BaseException], None] = _die
    ) -> None:
        self._part = part
        self._tick_s = tick_s
        self._on_error = on_error
        self._changed = threading.Condition()
        self._wake_up = WakeUp()
        self._inbox: list[Message] = []
        self._bytes = 0
        # Whether the loop waits for the wake-up: one that nobody waits for would wake it later
        # for a message that it has taken already, and a step without news is not free.
        self._listens = False
        # How long a step waits for the messages of other senders that are at work.
        self._gathers_s = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="fanfold-loop", daemon=True)

    def start(self) -> Loop:
        self._thread.start()
        return self

    def put(self, subject: str, payload: Any, can_wait: bool = False) -> None:
        """Hand over one message; waits while the inbox is full. `can_wait`: for the next step,
        which comes at the next tick at the latest, since a step of its own is not free."""
        size = len(payload) if isinstance(payload, (bytes, bytearray, str)) else 1_024
        with self._changed:
            while (
                len(self._inbox) >= MAX_MESSAGES or self._bytes > MAX_BYTES
            ) and not self._stopping:
                self._changed.wait()
            self._inbox.append(Message(subject, payload))
            self._bytes += size
            wakes = self._listens and not can_wait
            self._listens = self._listens and can_wait
        # Outside the lock, which the loop takes first when it wakes.
        if wakes:
            self._wake_up.wake()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let the step in progress end, close the part, and return."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._wake_up.wake()
        ended_within(self._thread, timeout_s)

    def _take(self) -> list[Message]:
        with self._changed:
            listens = self._listens = not self._inbox and not self._stopping
        if listens:
            ticks = IDLE_TICKS if self._part.idle() else 1
            self._wake_up.is_woken_within(self._tick_s * ticks)
        if self._gathers_s and len(self._inbox) < ENOUGH_MESSAGES and not self._stopping:
            time.sleep(self._gathers_s)
        with self._changed:
            self._listens = False
            taken, self._inbox, self._bytes = self._inbox, [], 0
            self._changed.notify_all()
        self._gathers_s = gather_s(self._part.others_likely(taken)) if len(taken) > 1 else 0.0
        return taken

    def _run(self) -> None:
        try:
            clock = WaitingClock()
            while not self._stopping:
                taken = self._take()
                self._part.step(taken, clock.tick(), time.time())
                if not self._inbox:
                    self._part.rest()
            self._part.close()
        except BaseException as error:
            self._on_error(error)
