"""Which alerts are on, who was told, and when to tell again. Pure: the caller has the clocks.

An alert is **waiting** while its condition holds and ``for_s`` has not passed, then **on** until
the condition ends. It is sent when it goes on, again every ``cool_down_s`` until somebody
acknowledges it, and once when it has ended. Between two messages of one rule that both say "on"
there are at least ``cool_down_s``: a condition that comes and goes calls nobody every minute.

What was on when the core stopped is on when it starts again, **unconfirmed** until its condition
is seen to hold, or enough is seen to say that it has ended. A cool-down goes on over the restart,
by the clock of the wall: it is the only one that both know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgecore.alerts.judge import SELF_TIMED
from edgecore.alerts.rules import Rule

State = Literal["waiting", "on"]
VERSION = 2
LONGEST_COOL_DOWN_S = 604_800.0
"""As a site file may have it: what was told before that holds nothing back."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to people; ``t`` and ``since`` are epoch seconds."""

    kind: Literal["on", "again", "ended", "test"]
    rule: str
    text: str
    t: float
    since: float


@dataclass(kw_only=True)
class _Alert:
    state: State
    began: float
    since: float
    text: str
    told: bool = False
    acknowledged: float | None = None
    unconfirmed: bool = False


@dataclass(frozen=True)
class _Notified:
    """When people were told last, by the clock that never jumps and by the wall's."""

    now: float
    wall: float


class AlertStates:
    def __init__(self) -> None:
        self._alerts: dict[str, _Alert] = {}
        self._told: dict[str, _Notified] = {}

    def step(
        self,
        rules: Sequence[Rule],
        wrong: Mapping[str, str | None],
        now: float,
        wall: float,
        unsure: Collection[str] = (),
    ) -> list[Notice]:
        """``wrong``: by rule what is wrong; ``now``: a clock that never jumps; ``unsure``: rules
        of which too little was seen since the start to say that their alert has ended."""
        for gone in self._alerts.keys() - {rule.name for rule in rules}:
            del self._alerts[gone]
        held = self.unconfirmed() & {name for name in unsure if wrong.get(name) is None}
        return [
            notice
            for rule in rules
            if rule.name not in held
            for notice in self._one(rule, wrong.get(rule.name), now, wall)
        ]

    def unconfirmed(self) -> set[str]:
        """Alerts of before a restart of which nothing is known yet."""
        return {name for name, alert in self._alerts.items() if alert.unconfirmed}

    def _one(self, rule: Rule, text: str | None, now: float, wall: float) -> Iterable[Notice]:
        alert = self._alerts.get(rule.name)
        if text is None:
            if alert is not None:
                del self._alerts[rule.name]
                if alert.told:
                    yield Notice(kind="ended", rule=rule.name, text=alert.text, t=wall,
                        since=alert.since)  # fmt: skip
            return
        if alert is None:
            alert = _Alert(state="waiting", began=now, since=wall, text=text)
            self._alerts[rule.name] = alert
        alert.text, alert.unconfirmed = text, False
        wait_s = 0.0 if rule.when in SELF_TIMED else rule.for_s
        if alert.state == "waiting" and now - alert.began >= wait_s:
            alert.state = "on"
        if alert.state == "on" and alert.acknowledged is None and self._due(rule, now):
            kind: Literal["on", "again"] = "again" if alert.told else "on"
            alert.told, self._told[rule.name] = True, _Notified(now, wall)
            yield Notice(kind=kind, rule=rule.name, text=text, t=wall, since=alert.since)

    def _due(self, rule: Rule, now: float) -> bool:
        told = self._told.get(rule.name)
        return told is None or now - told.now >= rule.cool_down_s

    def acknowledge(self, rule: str, wall: float) -> bool:
        """Somebody knows: it is not sent again while it lasts. False: it is not on."""
        alert = self._alerts.get(rule)
        if alert is None or alert.state != "on":
            return False
        alert.acknowledged = wall
        return True

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "key": name,
                "rule": name,
                "state": a.state,
                "since": a.since,
                "text": a.text,
                "acknowledged": a.acknowledged,
                "unconfirmed": a.unconfirmed,
            }
            for name, a in sorted(self._alerts.items())
        ]

    def kept(self, undelivered: Collection[str] = ()) -> dict[str, Any]:
        """What a core that starts again has to know; ``undelivered``: rules of which a message
        waits, and is gone with this process."""
        return {
            "v": VERSION,
            "on": {
                name: {
                    "since": a.since,
                    "text": a.text,
                    "acknowledged": a.acknowledged,
                    "told": a.told,
                    "undelivered": name in undelivered or (a.told and name not in self._told),
                }
                for name, a in self._alerts.items()
                if a.state == "on"
            },
            "told": {name: told.wall for name, told in self._told.items()},
        }

    def restore(self, kept: Mapping[str, Any], now: float, wall: float) -> None:
        """Nobody is told a second time because the core started again. Raises KeyError, TypeError,
        ValueError for what ``kept`` never was."""
        if kept.get("v") == VERSION:
            on, told = kept["on"], kept["told"]
        else:  # a core before this one kept no times
            on, told = kept, dict.fromkeys(kept, wall)
        for name, found in on.items():
            self._alerts[str(name)] = _Alert(
                state="on", began=now, since=float(found["since"]), text=str(found["text"]),
                told=bool(found.get("told", True)), acknowledged=found["acknowledged"],
                unconfirmed=True,
            )  # fmt: skip
        for name, at in told.items():
            passed_s = max(0.0, wall - float(at))  # a clock that was set back: as told just now
            never = name in on and on[name].get("undelivered")
            if not never and passed_s <= LONGEST_COOL_DOWN_S:
                self._told[str(name)] = _Notified(now - passed_s, wall - passed_s)
