"""The core's answer to an offer, as the Model component finds it; also on a disk without a byte.

A deployment waits for the answer for four minutes. Without room for its words it is the name of an
empty file, for which file systems need no block, and the words follow when there is room.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

from edgecore.components.offers import Places
from edgecore.disk import layout
from edgecore.disk.space import is_full

PROVED, REFUSED = "proved", "refused"

log = logging.getLogger(__name__)


def write_verdict(places: Places, content: dict[str, Any]) -> dict[str, Any]:
    """What is still owed: nothing, or the content whose words found no room. Raises OSError."""
    folder = places.verdict.parent
    try:
        layout.write_durably(places.verdict, json.dumps(content) + "\n")
    except OSError as error:
        mark = folder / f"{content['verdict']}-{content['nonce']}"
        if not is_full(error):
            raise
        if not mark.exists():
            mark.touch()
            log.warning("%s: %s; free space there: the Model component gets the verdict without "
                "its words", folder, error.strerror)  # fmt: skip
        return content
    for verdict in (PROVED, REFUSED):
        for mark in folder.glob(f"{verdict}-*"):
            with contextlib.suppress(OSError):
                mark.unlink()
    return {}
