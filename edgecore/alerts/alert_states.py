"""Which alerts are on, who was told, and when to tell again. Pure: the caller has the clocks.

An alert is **waiting** while its condition holds and ``for_s`` has not passed, then **on** until
the condition ends. It is sent when it goes on, again every ``cool_down_s`` until somebody
acknowledges it, and once when it has ended. Between two messages of one rule that both say "on"
there are at least ``cool_down_s``: a condition that comes and goes calls nobody every minute.

What was on when the core stopped is on when it starts again, **unconfirmed** until its condition
is seen to hold, or enough is seen to say that it has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgecore.alerts.judge import SELF_TIMED
from edgecore.alerts.rules import Rule

State = Literal["waiting", "on"]


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


class AlertStates:
    def __init__(self) -> None:
        self._alerts: dict[str, _Alert] = {}
        self._told_at: dict[str, float] = {}

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
            alert.told, self._told_at[rule.name] = True, now
            yield Notice(kind=kind, rule=rule.name, text=text, t=wall, since=alert.since)

    def _due(self, rule: Rule, now: float) -> bool:
        told = self._told_at.get(rule.name)
        return told is None or now - told >= rule.cool_down_s

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
            name: {
                "since": a.since,
                "text": a.text,
                "acknowledged": a.acknowledged,
                "told": a.told,
                "undelivered": name in undelivered or (a.told and name not in self._told_at),
            }
            for name, a in self._alerts.items()
            if a.state == "on"
        }

    def restore(self, kept: Mapping[str, Any], now: float) -> None:
        """Nobody is told a second time because the core started again. Raises KeyError, TypeError
        for what ``kept`` never was."""
        for name, found in kept.items():
            self._alerts[str(name)] = _Alert(
                state="on", began=now, since=float(found["since"]), text=str(found["text"]),
                told=bool(found.get("told", True)), acknowledged=found["acknowledged"],
                unconfirmed=True,
            )  # fmt: skip
            if not found.get("undelivered"):  # else somebody was never told
                self._told_at[str(name)] = now
