"""What an MQTT 5 reason code says about one message or one connection. Pure.

Codes: OASIS MQTT 5.0 §2.4. Which of them AWS IoT uses: its developer guide, "MQTT".
"""

from __future__ import annotations

FAILURE = 0x80
NOT_AUTHORIZED = 0x87
TAKEN_OVER = 0x8E
QUOTA_EXCEEDED = 0x97

_WORDS = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "protocol version not supported",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8D: "keep alive timeout",
    0x8E: "session taken over",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x93: "receive maximum exceeded",
    0x94: "topic alias invalid",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9F: "connection rate exceeded",
}

_NEVER = {
    NOT_AUTHORIZED: "not_authorized",
    0x90: "topic_invalid",
    0x95: "too_large",
    0x99: "payload_invalid",
}
"""Codes of a PUBACK after which the same message would be refused again."""

_NOBODYS_MESSAGE = frozenset(
    {0x88, 0x89, 0x8B, 0x8D, TAKEN_OVER, 0x93, 0x97, 0x98, 0x9C, 0x9D, 0x9F}
)
"""A DISCONNECT with one of these speaks of the connection or the server, not of a message."""


def words(code: int) -> str:
    """``not authorized (0x87)``."""
    return f"{_WORDS.get(code, 'unknown reason')} (0x{code:02X})"


def accepted(code: int) -> bool:
    """Success, and "no matching subscribers": the message is the far side's."""
    return code < FAILURE


def refusal(code: int) -> str | None:
    """Why a message with this PUBACK is never taken (a counter's name); None: try again."""
    return _NEVER.get(code)


def may_be_a_message(code: int | None) -> bool:
    """Whether a connection that the far side ended so may have ended for a message's sake."""
    return code is None or code not in _NOBODYS_MESSAGE
