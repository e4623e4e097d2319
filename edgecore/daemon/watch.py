"""Looks at the core once a second: what happened goes to the history, what is wrong to people."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

import edgecore
from contract.status import Status
from edgecore.alerts.notifier import Notifier
from edgecore.alerts.rules import of_environment as alerts_of
from edgecore.core.group import Group
from edgecore.core.observers import Observers
from edgecore.core.options import Options
from edgecore.disk.space import used_share
from edgecore.history.recorder import Recorder
from edgecore.history.schema import file_of
from edgecore.history.settings import of_environment as history_of
from edgecore.history.timeline import changes
from edgecore.people.terminal_acts import TerminalActs
from edgecore.web.access.identity import who
from edgecore.web.dashboard.ports import SiteView

EVERY_S = 1.0
OPERATOR = "operator"

log = logging.getLogger(__name__)


class Watch:
    """``show`` for every group that runs, ``start`` once, ``close``."""

    def __init__(
        self, options: Options, observers: Observers, status: Callable[[], Status]
    ) -> None:
        self._read_status = status
        self.recorder = Recorder(file_of(options.state), keep=options.history)
        self.notifier = Notifier(options.state, self._alert)
        self.recorder.on_rows = self.notifier.observe
        observers.add(self.recorder.observer)
        observers.add(self.recorder.sampler)
        self._terminal = TerminalActs(options.state)
        self._started = time.time()
        self._findings: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.recorder.start()
        self.recorder.event("core", "core", f"started, version {edgecore.__version__}")
        self._looking = asyncio.ensure_future(self._look())

    def show(self, group: Group) -> None:
        view, variables = SiteView.of_group(group), group.site_environment
        self.recorder.show(view.site, history_of(variables), view.images_dir)
        self.notifier.show(alerts_of(variables), view.site or group.name, group.core.thing_name)

    def note(self, subject: str, text: str) -> None:
        """An operator did something; who, where the core knows it."""
        self.recorder.event("operator", subject, text, who=who(OPERATOR))

    def _alert(self, subject: str, text: str, by: str) -> None:
        self.recorder.event("alert", subject, text, who=by)

    def status(self) -> Status:
        """``history`` and ``alerts`` of ``/api/status``."""
        return {"history": self.recorder.status(), "alerts": self.notifier.status()}

    async def _look(self) -> None:
        before = _before_start(self._read_status(), self._started)
        while True:
            await asyncio.sleep(EVERY_S)
            after = self._read_status()
            try:
                self._compare(before, after)
                self._note_terminal()
            except Exception:  # the status is also made of what others sent
                log.exception("watch: a look at the core failed")
            before = after

    def _compare(self, before: Status, after: Status) -> None:
        self._log_changes(set(after.get("findings", [])))
        for kind, subject, text in changes(before, after):
            self.recorder.event(kind, subject, text)
        self.notifier.step(after, _disks(after), _certificates(after))

    def _note_terminal(self) -> None:
        try:
            for kind, subject, text, by in self._terminal.new():
                self.recorder.event(kind, subject, text, who=by)
        except OSError as error:
            log.warning("watch: the audit log cannot be read: %s", error)

    def _log_changes(self, findings: set[str]) -> None:
        """Each finding once in the core's log, and its end."""
        for text in sorted(findings - self._findings):
            log.warning("finding: %s", text)
        for text in sorted(self._findings - findings):
            log.info("no longer a finding: %s", text)
        self._findings = findings

    async def rest(self) -> None:
        """The core ends: what stops from here on is nothing to call anybody for."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def close(self) -> None:
        """The functions' last results are written first."""
        self.notifier.close()
        self.recorder.event("core", "core", "stopped")
        await asyncio.to_thread(self.recorder.close)


def _before_start(status: Status, started: float) -> Status:
    """The first deployment of this core is news, and those of cores before it are none."""
    group = status.get("group", {})
    known = [e for e in group.get("history", []) if e.get("t", 0.0) < started]
    return {**status, "group": {**group, "history": known}}


def _disks(status: Status) -> dict[str, float]:
    """Folder → share that is used."""
    shares = {disk["path"]: used_share(disk) for disk in status.get("disks", [])}
    return {path: share for path, share in shares.items() if share is not None}


def _certificates(status: Status) -> dict[str, float]:
    """Name → seconds that it is still valid."""
    return {c["name"]: c["expires_in_s"] for c in status.get("certificates", [])}
