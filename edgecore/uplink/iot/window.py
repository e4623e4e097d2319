"""What is in flight: at most so many messages and bytes, settled from the front. Pure.

The spool offers its front again and again; the window knows which of it was sent on this
connection, which was answered, and when silence has lasted too long. Answers may come in any
order (AWS IoT promises none); what was accepted behind a gap is not sent a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecore.uplink.iot import quotas, reason_codes
from edgecore.uplink.sinks import Message

SILENCE_S = 30.0
SLOWEST_LINE_BYTES_PER_S = 8_000
"""A 64 kbit/s line: silence is counted from when the front could have been sent there."""
OVERTAKEN_S = 5.0
"""A message that later ones have overtaken for so long was dropped: AWS throttles in silence."""


@dataclass(slots=True)
class _Entry:
    message: Message
    sent_at: float | None = None
    code: int | None = None


class Window:
    """``align`` with the spool's front, ``next`` and ``sent``, ``answered``, ``settled``."""

    def __init__(
        self,
        *,
        max_messages: int = quotas.WINDOW_MESSAGES,
        max_bytes: int = quotas.WINDOW_BYTES,
        silence_s: float = SILENCE_S,
        overtaken_s: float = OVERTAKEN_S,
    ) -> None:
        self.max_messages, self._max_bytes = max_messages, max_bytes
        self._silence_s, self._overtaken_s = silence_s, overtaken_s
        self.allowed = max_messages
        """How many this connection's server takes at a time."""
        self._entries: list[_Entry] = []
        self._progress_at = 0.0

    def align(self, front: Sequence[Message]) -> None:
        """Take over the spool's front; what is known of its messages stays known."""
        known = {(e.message.epoch, e.message.id): e for e in self._entries}
        self._entries = [known.get((m.epoch, m.id)) or _Entry(m) for m in front]

    def next(self) -> Message | None:
        """The next message to send, in order; None while the window is full or all is sent."""
        flying = [e for e in self._entries if e.sent_at is not None and e.code is None]
        if len(flying) >= min(self.max_messages, self.allowed):
            return None
        entry = next((e for e in self._entries if e.sent_at is None), None)
        if entry is None:
            return None
        size_bytes = sum(len(e.message.payload) for e in flying) + len(entry.message.payload)
        return None if flying and size_bytes > self._max_bytes else entry.message

    def sent(self, message: Message, now: float) -> None:
        if not self.in_flight:
            self._progress_at = now
        self._entry(message).sent_at = now

    def answered(self, message: Message, code: int, now: float) -> None:
        """Late answers to what is not in the window any more are nothing."""
        for entry in self._entries:
            if entry.message is message and entry.sent_at is not None:
                entry.code = code
                self._progress_at = now

    def lost(self) -> None:
        """The connection is gone: what was not answered for good is to be sent again."""
        for entry in self._entries:
            final = entry.code is not None and (
                reason_codes.accepted(entry.code) or reason_codes.refusal(entry.code) is not None
            )
            if not final:
                entry.sent_at = entry.code = None

    def again(self) -> None:
        """The front was refused for now: it is to be sent again."""
        self._entries[0].sent_at = self._entries[0].code = None

    @property
    def front(self) -> Message | None:
        return self._entries[0].message if self._entries else None

    @property
    def in_flight(self) -> int:
        return sum(e.sent_at is not None and e.code is None for e in self._entries)

    def settled(self) -> int:
        """How many messages from the front the far side has accepted."""
        count = 0
        for entry in self._entries:
            if entry.code is None or not reason_codes.accepted(entry.code):
                break
            count += 1
        return count

    def refused(self) -> int | None:
        """The code with which the front was refused, be it for now or for ever."""
        code = self._entries[0].code if self._entries else None
        return None if code is None or reason_codes.accepted(code) else code

    def silence_left_s(self, now: float) -> float | None:
        """How long the connection may still keep silent; at most 0: give it up. None: no
        answer is awaited."""
        waiting = [e for e in self._entries if e.sent_at is not None and e.code is None]
        if not waiting:
            return None
        first = waiting[0]
        transfer_s = len(first.message.payload) / SLOWEST_LINE_BYTES_PER_S
        left_s = self._progress_at + self._silence_s + transfer_s - now
        if self._overtaken(first):
            left_s = min(left_s, (first.sent_at or 0.0) + self._overtaken_s + transfer_s - now)
        return left_s

    def _overtaken(self, entry: _Entry) -> bool:
        sent_at = entry.sent_at or 0.0
        return any(
            e.code is not None and e.sent_at is not None and e.sent_at >= sent_at
            for e in self._entries[self._entries.index(entry) + 1 :]
        )

    def _entry(self, message: Message) -> _Entry:
        return next(e for e in self._entries if e.message is message)
