"""The rules of the site that runs, judged once a second, and the ways by which people are told."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from contract.status import Status
from edgecore.alerts import unsent
from edgecore.alerts.alert_states import AlertStates, Notice
from edgecore.alerts.channel import Channel
from edgecore.alerts.ended import may_have_ended
from edgecore.alerts.judge import Evidence, judge
from edgecore.alerts.rules import AlertSettings
from edgecore.alerts.senders import SENDERS, TIMEOUT_S
from edgecore.alerts.windows import Windows
from edgecore.core.stats import all_drained
from edgecore.disk.layout import write_durably
from edgecore.history.rows import Row

TEST_WAIT_S = TIMEOUT_S + 5.0
"""A mail server greets when it likes; one that answers at once is not waited for."""
FILE = "alerts.json"
NOTHING = AlertSettings()

Record = Callable[[str, str, str], None]
"""Subject, text and who: a line of the timeline."""

log = logging.getLogger(__name__)


class Notifier:
    """``show`` for every group that runs, ``step`` once a second, ``close``."""

    def __init__(self, state: Path, record: Record) -> None:
        self._path = state / FILE
        self._record = record
        self._states = AlertStates()
        self._windows = Windows()
        self._lock = threading.Lock()
        self._settings = NOTHING
        self._channels: dict[str, Channel] = {}
        self._site = self._thing = ""
        self._begun = self._started = time.monotonic()
        self._drained: float | None = None
        self._unsent: unsent.Unsent = {}
        self._saved = ""
        self._wrong: dict[str, str] = {}
        self._restore()

    def show(self, settings: AlertSettings, site: str, thing: str) -> None:
        """Another group: its rules hold from now on; ways that are as before keep their queue."""
        same = (site, thing) == (self._site, self._thing)
        ways, before = settings.to or {}, self._settings.to or {}
        for name in list(self._channels):
            if not same or ways.get(name) != before.get(name):
                self._channels.pop(name).stop()
        for name, way in ways.items():
            if name in SENDERS and name not in self._channels:
                self._channels[name] = Channel(name, SENDERS[name](way, site, thing))
        self._resume()
        with self._lock:
            self._windows.watched = frozenset(rule.label for rule in settings.rules if rule.label)
        self._settings, self._site, self._thing = settings, site, thing
        self._started = time.monotonic()

    def _resume(self) -> None:
        """What waited when the core stopped waits again, as old as it is."""
        waiting, self._unsent = self._unsent, {}
        for name, notices in waiting.items():
            if name not in self._channels:
                log.warning("alerts: %d message(s) of ended alerts that waited for %s are dropped: "
                    "the group has no such way any more", len(notices), name)  # fmt: skip
                continue
            for notice in notices:
                self._channels[name].put(notice, max(0.0, time.time() - notice.t))

    def observe(self, rows: Sequence[Row]) -> None:
        """Results as the history gets them, from its thread."""
        if self._settings.rules:
            with self._lock:
                self._windows.add(rows, time.monotonic())

    def step(
        self, status: Status, disks: Mapping[str, float], certificates: Mapping[str, float]
    ) -> None:
        """Judge every rule; whom it concerns is told by threads of their own."""
        if self._settings is NOTHING:  # no group yet: what was on before is not over by that
            return
        now, wall = time.monotonic(), time.time()
        self._drained = now if all_drained(status) else self._drained
        evidence = Evidence(status=status, windows=self._windows, now=now, started=self._started,
            drained=self._drained, disks=disks, certificates=certificates)  # fmt: skip
        with self._lock:
            wrong = {rule.name: self._judge(rule, evidence) for rule in self._settings.rules}
            waiting = self._states.unconfirmed()
            unsure = {
                rule.name
                for rule in self._settings.rules
                if rule.name in waiting and not may_have_ended(rule, evidence, self._begun)
            }
            notices = self._states.step(self._settings.rules, wrong, now, wall, unsure)
        for notice in notices:
            words = {"on": "is on", "again": "is still on", "ended": "has ended"}[notice.kind]
            self._record(notice.rule, f"{words}: {notice.text}", "")
            for channel in self._channels.values():
                channel.put(notice)
        self._save()

    def _judge(self, rule: Any, evidence: Evidence) -> str | None:
        """A rule that cannot be judged is said, and the others hold."""
        try:
            found = judge(rule, evidence)
        except Exception as error:  # the status is also made of what others sent
            if self._wrong.get(rule.name) != str(error):
                log.exception("alerts: rule %s cannot be judged", rule.name)
            self._wrong[rule.name] = f"rule {rule.name}: {error}"
            return None
        self._wrong.pop(rule.name, None)
        return found

    def acknowledge(self, rule: str, who: str) -> bool:
        """False: that alert is not on."""
        with self._lock:
            done = self._states.acknowledge(rule, time.time())
        if done:
            self._record(rule, "was acknowledged", who)
            self._save()
        return done

    def test(self, who: str) -> Callable[[], dict[str, str]]:
        """Send a test every way now. What is returned waits some seconds for how it went:
        by way, "" for sent, or the problem."""
        now = time.time()
        notice = Notice(kind="test", rule="test", t=now, since=now,
            text="this is a test: alerts of this core reach you")  # fmt: skip
        found: dict[str, str] = {}
        ended = {name: threading.Event() for name in self._channels}

        def note(name: str, problem: str) -> None:
            found[name] = problem
            ended[name].set()

        for name, channel in self._channels.items():
            channel.try_now(notice, partial(note, name))
        self._record(
            "test", f"was sent to {', '.join(ended) or 'nobody: no way is configured'}", who
        )

        def wait() -> dict[str, str]:
            deadline = time.monotonic() + TEST_WAIT_S
            for event in ended.values():
                event.wait(max(0.0, deadline - time.monotonic()))
            late = f"no answer in {TEST_WAIT_S:.0f} s; the test may still arrive"
            return {name: found.get(name, late) for name in ended}

        return wait

    def status(self) -> dict[str, Any]:
        """``alerts`` of ``/api/status`` (docs/spec/alerts.md)."""
        problems = [self._settings.problem, *self._wrong.values()]
        with self._lock:
            alerts = self._states.as_json()
        return {
            "rules": len(self._settings.rules),
            "alerts": alerts,
            "channels": [channel.status() for channel in self._channels.values()],
            "problem": "; ".join(filter(None, problems)) or None,
        }

    def close(self) -> None:
        for channel in self._channels.values():
            channel.stop()

    def _save(self) -> None:
        channels = list(self._channels.values())
        undelivered = {rule for channel in channels for rule in channel.undelivered()}
        ended = {**self._unsent, **unsent.of_channels(channels)}
        kept = {**self._states.kept(undelivered), "ended": unsent.as_json(ended)}
        text = json.dumps(kept)
        if text == self._saved:
            return
        self._saved = text
        try:
            write_durably(self._path, text)
        except OSError as error:
            log.warning("%s: %s; alerts that are on are told again after a restart, and the end of "
                "one is not, if it was not sent by then", self._path, error.strerror)  # fmt: skip

    def _restore(self) -> None:
        try:
            self._saved = self._path.read_text(encoding="utf-8")
            kept = json.loads(self._saved)
            self._unsent = unsent.from_json(kept.pop("ended", {}))
            self._states.restore(kept, time.monotonic(), time.time())
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: %s; alerts begin anew", self._path, error)
