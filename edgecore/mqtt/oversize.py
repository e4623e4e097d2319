"""A message that is too large: what can be said of it while it is thrown away. No IO.

The connection lives on, since its client would only connect and send the same again: it
is read to its end, acknowledged, and refused by name (docs/spec/mqtt.md).
"""

from __future__ import annotations

import hashlib
import re

from edgecore.mqtt.packets import Oversize

MAX_SKIPPED_BYTES = 64 << 20
"""A larger one closes the connection: nothing that a camera sends is."""
_HEAD_BYTES = 1024
_ID_DIGITS = 32
_ID = re.compile(rb'"id"\s*:\s*"([^"\\]{1,128})"')


class Skipping:
    """Takes the payload piece by piece and keeps its size, its digest and its beginning."""

    def __init__(self, topic: str, qos: int, packet_id: int, size: int) -> None:
        self._topic, self._qos, self._packet_id, self._size = topic, qos, packet_id, size
        self._left = size
        self._digest = hashlib.sha256()
        self._head = b""

    def swallow(self, buffer: bytearray, at: int) -> int:
        """Take what is there from ``at`` on; where the rest of the buffer begins."""
        piece = bytes(buffer[at : at + self._left])
        self._left -= len(piece)
        self._digest.update(piece)
        self._head += piece[: _HEAD_BYTES - len(self._head)]
        return at + len(piece)

    def packet(self) -> Oversize | None:
        """When all of it has been swallowed."""
        if self._left:
            return None
        return Oversize(self._topic, self._size, self._qos, self._packet_id, self._message_id())

    def _message_id(self) -> str | None:
        """An event names its id; an image is called by its digest (docs/spec/messages.md)."""
        if self._head.lstrip().startswith(b"{"):
            found = _ID.search(self._head)
            return found[1].decode(errors="replace") if found else None
        return f"sha256:{self._digest.hexdigest()[:_ID_DIGITS]}"
