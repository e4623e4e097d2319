"""One way to people, in a thread of its own: a bounded queue, and back-off where it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from edgecore.alerts.alert_states import Notice
from edgecore.alerts.senders import CannotSend, Send

MAX_WAITING = 100
"""More than a person reads; the oldest make room, and are counted."""
MAX_AGE_S = 86_400.0
BASE_S, CAP_S = 2.0, 300.0
ATTEMPT_S = 60.0
"""For a whole attempt: a server that sends a byte now and then meets each limit of the socket."""

log = logging.getLogger(__name__)


class _Attempt:
    """One sending, in a thread of its own."""

    def __init__(self, notice: Notice | None = None) -> None:
        self.notice, self.ended = notice, threading.Event()
        self._problem: Exception | None = None

    def run(self, send: Send, notice: Notice) -> None:
        try:
            send(notice)
        except Exception as error:  # raised where it is waited for
            self._problem = error
        self.ended.set()

    def result(self, within_s: float, name: str) -> Exception | None:
        """Its problem. Raises CannotSend while it has not ended."""
        if not self.ended.wait(within_s):
            raise CannotSend(
                f"{name}: the server answers so slowly that an attempt has not ended in "
                f"{within_s:g} s; restart that server or name another"
            )
        return self._problem


_NO_ATTEMPT = _Attempt()
_NO_ATTEMPT.ended.set()


class Channel:
    def __init__(
        self,
        name: str,
        send: Send,
        *,
        cap_s: float = CAP_S,
        base_s: float = BASE_S,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self.name = name
        self._send, self._base_s, self._cap_s = send, base_s, cap_s
        self._attempt_s, self._attempt = attempt_s, _NO_ATTEMPT
        self._waiting: deque[tuple[Notice, float]] = deque()
        self._changed = threading.Condition()
        self._stopped = self._hurry = False
        self._failures = self._sent = self._dropped = 0
        self._problem = ""
        threading.Thread(target=self._run, name=f"alerts-{name}", daemon=True).start()

    def put(self, notice: Notice, age_s: float = 0.0) -> None:
        """At once, whatever the other side does; ``age_s``: it has waited before this start."""
        with self._changed:
            while len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append((notice, time.monotonic() - age_s))
            self._changed.notify()

    def try_now(self, notice: Notice, done: Callable[[str], None]) -> None:
        """A test, in a thread of its own; ``done`` gets the problem, or ""."""

        def attempt() -> None:
            try:
                self._send(notice)
            except Exception as error:  # whatever it is, an operator asked for it
                done(str(error) if isinstance(error, CannotSend) else type(error).__name__)
            else:
                with self._changed:  # it works again: what waits goes now, not in five minutes
                    self._hurry = True
                    self._changed.notify()
                done("")

        threading.Thread(target=attempt, name=f"alerts-test-{self.name}", daemon=True).start()

    def undelivered(self) -> set[str]:
        """Rules of which a message that they are on still waits."""
        with self._changed:
            return {n.rule for n, _ in self._waiting if n.kind in ("on", "again")}

    def of_ended(self) -> list[Notice]:
        """What waits of alerts that are over, in order: the state of no rule knows of it."""
        with self._changed:
            waiting = [n for n, _ in self._waiting]
        last = {n.rule: at for at, n in enumerate(waiting) if n.kind == "ended"}
        return [n for at, n in enumerate(waiting) if at <= last.get(n.rule, -1)]

    def status(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "sent": self._sent,
            "waiting": len(self._waiting),
            "dropped": self._dropped,
            "failures": self._failures,
            "problem": self._problem or None,
        }

    def stop(self) -> None:
        """No waiting: a server that hangs holds no end of the core up."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        in_a_row = 0
        while True:
            with self._changed:
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                notice, put_at = self._waiting[0]
                self._hurry = False
            sent = self._sent
            if self._try(notice, put_at):
                if self._sent > sent:  # one that was too old says nothing of the other side
                    in_a_row = 0
                continue
            in_a_row += 1
            self._pause(min(self._cap_s, self._base_s * 2 ** min(in_a_row - 1, 16)))

    def _try(self, notice: Notice, put_at: float) -> bool:
        """False: it stays, and is tried again."""
        if time.monotonic() - put_at > MAX_AGE_S:
            with self._changed:
                self._dropped += self._leave(notice)
            return True
        try:
            self._send_in_time(notice)
        except Exception as error:  # a way that fails, however, must not end
            said = str(error) if isinstance(error, CannotSend) else f"{type(error).__name__}"
            if said != self._problem:
                log.warning("alerts: %s; it is tried again", said)
            self._problem, self._failures = said, self._failures + 1
            return False
        with self._changed:
            self._leave(notice)
        self._sent, self._problem = self._sent + 1, ""
        return True

    def _send_in_time(self, notice: Notice) -> None:
        """An attempt that is over its time is left to end by itself, and no second one is begun
        beside it. Raises what ``send`` raises."""
        late = self._attempt
        if late.result(self._attempt_s, self.name) is None and late.notice is notice:
            return  # it arrived after all
        attempt = self._attempt = _Attempt(notice)
        threading.Thread(
            target=attempt.run, args=(self._send, notice), name=f"alerts-{self.name}-send",
            daemon=True,
        ).start()  # fmt: skip
        problem = attempt.result(self._attempt_s, self.name)
        if problem is not None:
            raise problem

    def _leave(self, notice: Notice) -> bool:
        """It may have made room for newer ones meanwhile."""
        if self._waiting and self._waiting[0][0] is notice:
            self._waiting.popleft()
            return True
        return False

    def _pause(self, seconds: float) -> None:
        with self._changed:
            end = time.monotonic() + seconds
            while not (self._stopped or self._hurry) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
