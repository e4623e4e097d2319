"""The messages between Fanfold's parts: parse, check, build (docs/spec/messages.md).

Parsers take what a Lambda's handler is given, `bytes` or an object that the core has
already decoded, and raise `MessageError`.
"""

from __future__ import annotations

from contract.messages.build import (
    ECHOED,
    ack_message,
    done_messages,
    heartbeat_message,
    hello_message,
    probe_message,
    result_dropped,
    result_failed,
    result_ok,
    sync_message,
    to_ranges,
    work_message,
)
from contract.messages.parse import (
    parse_ack,
    parse_control,
    parse_done,
    parse_heartbeat,
    parse_work,
)
from contract.messages.terms import (
    DROPPED_REASONS,
    FAILED_REASONS,
    MAX_DETAIL_CHARS,
    MAX_MESSAGE_BYTES,
    MAX_PATH_BYTES,
    REJECTED_REASONS,
    SPLITTER_WORKER,
    VERSION,
    Ack,
    Control,
    Done,
    Heartbeat,
    MessageError,
    Payload,
    Ranges,
    Record,
    Work,
)
from contract.messages.wire import (
    decode,
    dumps,
    encode,
    pack,
    utf8,
)

__all__ = [
    "DROPPED_REASONS",
    "ECHOED",
    "FAILED_REASONS",
    "MAX_DETAIL_CHARS",
    "MAX_MESSAGE_BYTES",
    "MAX_PATH_BYTES",
    "REJECTED_REASONS",
    "SPLITTER_WORKER",
    "VERSION",
    "Ack",
    "Control",
    "Done",
    "Heartbeat",
    "MessageError",
    "Payload",
    "Ranges",
    "Record",
    "Work",
    "ack_message",
    "decode",
    "done_messages",
    "dumps",
    "encode",
    "heartbeat_message",
    "hello_message",
    "pack",
    "parse_ack",
    "parse_control",
    "parse_done",
    "parse_heartbeat",
    "parse_work",
    "probe_message",
    "result_dropped",
    "result_failed",
    "result_ok",
    "sync_message",
    "to_ranges",
    "utf8",
    "work_message",
]
