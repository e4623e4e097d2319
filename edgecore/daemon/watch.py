"""Looks at the core once a second: what happened goes to the history."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import edgecore
from contract.status import Status
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import Options
from edgecore.history.recorder import Recorder
from edgecore.history.schema import file_of
from edgecore.history.settings import of_environment
from edgecore.history.timeline import changes
from edgecore.web.dashboard.ports import SiteView

EVERY_S = 1.0

log = logging.getLogger(__name__)


class Watch:
    """``show`` for every group that runs, ``start`` once, ``close``."""

    def __init__(
        self, options: Options, observers: Observers, status: Callable[[], Status]
    ) -> None:
        self._read_status = status
        self.recorder = Recorder(file_of(options.state)) if options.history else None
        if self.recorder is not None:
            observers.add(self.recorder.tap)
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self.recorder is None:
            return
        self.recorder.start()
        self.recorder.event("core", "core", f"started, version {edgecore.__version__}")
        self._looking = asyncio.ensure_future(self._look())

    def show(self, group: Group) -> None:
        if self.recorder is not None:
            merged = environment_of(group)
            self.recorder.show(SiteView.of_group(group).site, of_environment(merged))

    def note(self, subject: str, text: str) -> None:
        """An operator did something."""
        if self.recorder is not None:
            self.recorder.event("operator", subject, text, who="operator")

    def status(self) -> dict[str, Any]:
        return {"history": dict(self.recorder.status()) if self.recorder else {}}

    async def _look(self) -> None:
        before = self._read_status()
        while True:
            await asyncio.sleep(EVERY_S)
            after = self._read_status()
            try:
                self._compare(before, after)
            except Exception:  # the status is also made of what others sent
                log.exception("history: a change could not be told")
            before = after

    def _compare(self, before: Status, after: Status) -> None:
        assert self.recorder is not None  # noqa: S101 - else nobody looks
        for kind, subject, text in changes(before, after):
            self.recorder.event(kind, subject, text)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        if self.recorder is not None:
            self.recorder.event("core", "core", "stopped")
            await asyncio.to_thread(self.recorder.close)


def environment_of(group: Group) -> dict[str, str]:
    """Settings of the site that the core itself follows come with its functions' variables."""
    merged: dict[str, str] = {}
    for function in group.lambdas:
        if "FANFOLD_SITE" in function.environment:
            merged.update(function.environment)
    return merged
