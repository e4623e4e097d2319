"""Acts go to the audit log, and what an operator wants to know of them to the timeline."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from edgecore.people.audit import Act, AuditLog
from edgecore.people.kept_file import KeptFileError

QUIET_S = 60.0
MAX_REMEMBERED = 256

Event = Callable[[str, str, str, str], None]
"""Kind, subject, text, who: one line of the timeline."""

log = logging.getLogger(__name__)


class Acts:
    """``note`` is awaited before the answer goes out."""

    def __init__(self, audit: AuditLog, event: Event | None) -> None:
        self._audit = audit
        self._event = event
        self._noted_at: dict[tuple[str, ...], float] = {}
        self.problem = ""

    async def note(self, act: Act) -> None:
        """An act that cannot be noted is said in the findings; it was done all the same: on a
        full disk an operator must be able to act."""
        try:
            await asyncio.to_thread(self._audit.add, act)
            self.problem = ""
        except (OSError, KeptFileError) as error:
            said = f"the audit log cannot be written ({error}): free space in {self._audit.folder}"
            if said != self.problem:
                log.error("%s; not noted: %s by %s", said, act.what, act.who or act.address)  # noqa: TRY400
            self.problem = said
        line = timeline_of(act)
        if line is not None and self._event is not None and self._is_news(act):
            self._event(*line)

    def _is_news(self, act: Act) -> bool:
        """The same refusal again and again is one line a minute."""
        if act.result != "refused":
            return True
        key, now = (act.who, act.address, act.what), time.monotonic()
        if now - self._noted_at.get(key, -QUIET_S) < QUIET_S:
            return False
        if len(self._noted_at) >= MAX_REMEMBERED:
            self._noted_at.clear()
        self._noted_at[key] = now
        return True


def timeline_of(act: Act) -> tuple[str, str, str, str] | None:
    """What the core's own acts do not tell the timeline already: people, and refusals."""
    path = act.what.partition(" ")[2]
    name = str(act.detail.get("name", "")) or act.who or "somebody"
    if act.result == "refused":
        why = f"refused ({act.status}): {act.what}, from {act.address}"
        return "access", act.who or name, why, act.who
    if act.result != "done" or path.startswith("/api/actions/"):
        return None
    if path == "/api/login":
        return "access", act.who, f"signed in from {act.address}", act.who
    return "access", name, act.said or path, act.who
