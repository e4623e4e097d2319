"""How far a rollout is, and what it does next: a fold over its record, and a rule. No IO, no clock.

A site stands in one of `Stand`; `NEXT` says from which it may go to which. The rule: the sites
of a wave are told, then judged; the first bad one stops the rollout, and the sites of that wave
that have the new model go back. Waves before keep it: they were judged healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from fanfold.rollout.waves import Wave


class Stand(str, Enum):
    """Where one site stands."""

    PENDING = "pending"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    HEALTHY = "healthy"
    AWAY = "away"
    FAILED = "failed"
    UNHEALTHY = "unhealthy"
    RETURNING = "rolling back"
    RETURNED = "rolled back"
    STUCK = "not rolled back"
    LEFT_OUT = "left out"


S = Stand
NEXT: Mapping[Stand, frozenset[Stand]] = {
    S.PENDING: frozenset({S.DEPLOYING, S.LEFT_OUT}),
    S.DEPLOYING: frozenset({S.DEPLOYING, S.DEPLOYED, S.AWAY, S.FAILED, S.UNHEALTHY, S.RETURNING}),
    S.DEPLOYED: frozenset({S.HEALTHY, S.UNHEALTHY, S.AWAY, S.RETURNING}),
    S.HEALTHY: frozenset({S.RETURNING}),
    S.AWAY: frozenset({S.PENDING, S.RETURNING, S.LEFT_OUT}),
    S.FAILED: frozenset({S.PENDING, S.LEFT_OUT}),
    S.UNHEALTHY: frozenset({S.RETURNING}),
    S.RETURNING: frozenset({S.RETURNING, S.RETURNED, S.STUCK}),
    S.RETURNED: frozenset({S.PENDING, S.LEFT_OUT}),
    S.STUCK: frozenset({S.PENDING, S.LEFT_OUT}),
    S.LEFT_OUT: frozenset(),
}
BAD = (S.FAILED, S.UNHEALTHY)
HAS_IT = (S.DEPLOYING, S.DEPLOYED, S.HEALTHY, S.AWAY, S.UNHEALTHY, S.RETURNING)
"""Of a stopped wave, these go back. What was being told may have it."""
LEFT = (S.FAILED, S.RETURNED, S.STUCK, S.AWAY)
"""What a resumed rollout tries again."""
THROUGH = (S.HEALTHY, S.AWAY, S.LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The fold of a record. `stopped`: why nothing more is told; empty while it goes on.

    `since`: site → epoch seconds of its last change. `why`: site → the last reason given.
    `ordinary`: so many waves come first that need a healthy site to be through; waves behind them
    are of sites that were away, which may be away again.
    """

    waves: tuple[Wave, ...]
    stands: Mapping[str, Stand]
    since: Mapping[str, float]
    why: Mapping[str, str]
    ordinary: int
    stopped: str = ""

    @classmethod
    def begun(cls, waves: Iterable[Iterable[str]]) -> Rollout:
        dealt = tuple(tuple(wave) for wave in waves)
        sites = [site for wave in dealt for site in wave]
        stands = dict.fromkeys(sites, S.PENDING)
        return cls(waves=dealt, stands=stands, since={}, why={}, ordinary=len(dealt))

    def moved(self, site: str, to: Stand, at: float, why: str = "") -> Rollout:
        """Raises ValueError for a step that `NEXT` does not have."""
        before = self.stands[site]
        if to not in NEXT[before]:
            raise ValueError(f"{site}: {before.value} does not become {to.value}")
        return replace(
            self,
            stands={**self.stands, site: to},
            since={**self.since, site: at},
            why={**self.why, site: why},
        )

    def halted(self, why: str) -> Rollout:
        return replace(self, stopped=why)

    def resumed(self, at: float, without: Iterable[str] = ()) -> Rollout:
        """Everything that is left is pending again, but for the sites that are left out.

        Who was away in a wave that is through gets a wave at the end: were it bad, the healthy
        sites of its old wave would have to go back with it.
        """
        state, out = replace(self._late_last(), stopped=""), set(without)
        for site, stand in state.stands.items():
            if site in out and S.LEFT_OUT in NEXT[stand]:
                state = state.moved(site, S.LEFT_OUT, at)
            elif stand in LEFT:
                state = state.moved(site, S.PENDING, at)
        return state

    def left_out(self, at: float, sites: Iterable[str]) -> Rollout:
        state = self
        for site in sites:
            state = state.moved(site, S.LEFT_OUT, at, "it has no file any more")
        return state

    def _late_last(self) -> Rollout:
        through = self.waves[: self.current] if self.current is not None else self.waves
        late = tuple(site for wave in through for site in self.of(wave, S.AWAY))
        if not late:
            return self
        kept = [tuple(site for site in wave if site not in late) for wave in self.waves]
        ordinary = sum(1 for wave in kept[: self.ordinary] if wave)
        return replace(self, waves=(*filter(None, kept), late), ordinary=ordinary)

    def of(self, wave: Wave, *stands: Stand) -> tuple[str, ...]:
        return tuple(site for site in wave if self.stands[site] in stands)

    @property
    def current(self) -> int | None:
        """Index of the first wave that is not through; None: all are."""
        for index, wave in enumerate(self.waves):
            if len(self.of(wave, *THROUGH)) < len(wave):
                return index
            unknown = not self.of(wave, S.HEALTHY) and self.of(wave, S.AWAY)
            if unknown and index < self.ordinary:
                return index
        return None


@dataclass(frozen=True)
class Deploy:
    """These are to get the model, as many at once as the operator allows."""

    sites: tuple[str, ...]


@dataclass(frozen=True)
class Judge:
    """All of the wave has ended; these run the model and are watched."""

    sites: tuple[str, ...]


@dataclass(frozen=True)
class Halt:
    """Nothing more is told, because of this."""

    why: str


@dataclass(frozen=True)
class RollBack:
    """Of the stopped wave, these have the model."""

    sites: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """`done` False: stopped, and what could go back has gone back."""

    done: bool


Action = Deploy | Judge | Halt | RollBack | Ended


def decide(state: Rollout) -> Action:
    """The next action; the same for the same state, so a rollout goes on after any end."""
    index = state.current
    wave = state.waves[index] if index is not None else ()
    if state.stopped:
        back = state.of(wave, *HAS_IT)
        return RollBack(back) if back else Ended(done=False)
    return Ended(done=True) if index is None else _next(state, wave, index + 1)


def _next(state: Rollout, wave: Wave, number: int) -> Action:
    """Of a wave that is not through."""
    if bad := state.of(wave, *BAD):
        return Halt("; ".join(f"{s} {state.stands[s].value}: {state.why.get(s, '')}" for s in bad))
    if told := state.of(wave, S.PENDING, S.DEPLOYING):
        return Deploy(told)
    if deployed := state.of(wave, S.DEPLOYED):
        return Judge(deployed)
    return Halt(
        f"wave {number} has no site that runs the model: {', '.join(state.of(wave, S.AWAY))} "
        "did not answer, so nothing is known of it"
    )
