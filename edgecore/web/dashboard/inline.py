"""Pictures of images that were sent inline: their file leaves the volume when they are done.

The splitter deletes ``.fanfold/inbox/…`` as soon as the result is committed, which is before
an eye can ask for it. So a few of the publishes themselves are kept, some of every stream.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import OrderedDict

EVERY_S = 0.4
ID_EVERY_S = 0.05
"""The id of a picture is its hash, 0.1 ms for 100 KB: of a faster stream some are left out."""
MAX_STREAMS = 2000
MAX_KEPT = 48
"""Of at most 128 KB each: 6 MB."""
_ID = re.compile(rb'"id"\s*:\s*"([^"\\]{1,128})"')


class InlineImages:
    """``id_of`` every publish, ``offer`` those that have one, ``get`` by the image's id."""

    def __init__(self) -> None:
        self._hashed_t: OrderedDict[str, float] = OrderedDict()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._last_t: OrderedDict[str, float] = OrderedDict()

    def id_of(self, stream: str, payload: bytes, t: float) -> str | None:
        """None: a picture too soon after its stream's last one."""
        if not is_json(payload):
            if abs(t - self._hashed_t.get(stream, 0.0)) < ID_EVERY_S:
                return None
            self._hashed_t[stream] = t
            self._hashed_t.move_to_end(stream)
            if len(self._hashed_t) > MAX_STREAMS:
                self._hashed_t.popitem(last=False)
        return message_id(payload)

    def offer(self, stream: str, image_id: str, payload: bytes, t: float) -> None:
        """Keep it if it is an image and its stream is due."""
        if abs(t - self._last_t.get(stream, 0.0)) < EVERY_S:
            return
        content = _content(payload)
        if content is None:
            return
        self._last_t[stream] = t
        self._last_t.move_to_end(stream)
        self._kept[image_id] = content
        for book in (self._kept, self._last_t):
            if len(book) > MAX_KEPT:
                book.popitem(last=False)

    def get(self, image_id: str) -> bytes | None:
        return self._kept.get(image_id)


def message_id(payload: bytes) -> str:
    """The id that the splitter will answer with (docs/spec/messages.md, forms 1 to 4)."""
    if is_json(payload):
        found = _ID.search(payload)
        return found[1].decode(errors="replace") if found else ""
    return f"sha256:{hashlib.sha256(payload).hexdigest()[:32]}"


def is_json(payload: bytes) -> bool:
    return payload[:64].lstrip()[:1] == b"{"


def _content(payload: bytes) -> bytes | None:
    if not is_json(payload):
        return payload
    if b'"image_b64"' not in payload:
        return None
    try:
        return base64.b64decode(json.loads(payload)["image_b64"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        return None
