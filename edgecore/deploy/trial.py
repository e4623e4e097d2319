"""The trial of a new deployment: what becomes of its first live images decides whether it stays.

One rule for every way a deployment arrives. The tally lies in the deployment's folder, so that
a restart of the core goes on with it. Counting and judging are pure; reading and writing are not.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from contract.messages import MODEL_FAULTS
from contract.status import Status, TrialStatus
from edgecore.core.stats import mapping, number, part
from edgecore.disk import layout

log = logging.getLogger(__name__)

VARIABLE = "FANFOLD_TRIAL"
FEWEST = 5
"""Before the last of the images, failures below this number are chance."""
SILENT_LIMIT_S = 3600.0
"""A group that counts no answers, somebody else's, is not judged by them."""
STEP_S = 1.0


@dataclass(frozen=True)
class TrialRule:
    """``images``: how many of the first answers count, 0: no trial. ``max_failed``: the share
    of them that the model may fail."""

    images: int = 50
    max_failed: float = 0.5


@dataclass(frozen=True)
class Tally:
    """Images since the switch: answered by the model, and failed through its fault."""

    answered: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.answered + self.failed


def rule_of(environment: Mapping[str, str]) -> TrialRule:
    """From FANFOLD_TRIAL (docs/spec/environment.md). Never raises: the default holds instead."""
    default = TrialRule()
    text = environment.get(VARIABLE)
    if not text:
        return default
    try:
        given = mapping(json.loads(text))
        images = int(given.get("images", default.images))
        max_failed = float(given.get("max_failed", default.max_failed))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        log.warning("%s %.80r: %s; the defaults hold", VARIABLE, text, error)
        return default
    if images < 0 or not 0 <= max_failed <= 1:
        log.warning("%s %.80r: out of range; the defaults hold", VARIABLE, text)
        return default
    return TrialRule(images, max_failed)


def judge(rule: TrialRule, tally: Tally) -> bool | str | None:
    """True: the deployment stays; text: why it goes; None: more images are needed."""
    too_many = tally.failed > rule.max_failed * rule.images
    early = tally.failed >= FEWEST and tally.failed > rule.max_failed * tally.total
    if too_many or early:
        return (
            f"the model failed {tally.failed} of the first {tally.total} images (limit "
            f"{rule.max_failed:.0%} of {rule.images}; reasons {', '.join(MODEL_FAULTS)})"
        )
    return True if tally.total >= rule.images else None


def counted(status: Status) -> Tally | None:
    """Since the aggregator began; None: a group that does not count them, somebody else's."""
    counters = part(status, "aggregator")
    failed, answered = number(counters.get("model_errors")), number(counters.get("answered"))
    return None if failed is None or answered is None else Tally(int(answered), int(failed))


class Trial:
    """``see`` the core's status every ``STEP_S``; it may follow an earlier core's ``tally``."""

    def __init__(
        self, rule: TrialRule, tally: Tally, started: float, before: Tally = Tally()
    ) -> None:
        """``before``: ``counted`` when the group began, of an aggregator that went on."""
        self.rule, self.tally = rule, tally
        self._started, self._before = started, before

    def see(self, status: Status, now: float) -> bool | str | None:
        """As ``judge``. The aggregator's counters begin at 0 with each of its processes."""
        seen = counted(status)
        if seen is None:
            silent = not self.tally.total and now - self._started > SILENT_LIMIT_S
            return True if silent else None
        before = self._before
        new_process = seen.answered < before.answered or seen.failed < before.failed
        base = Tally() if new_process else before
        self._before = seen
        self.tally = Tally(
            self.tally.answered + seen.answered - base.answered,
            self.tally.failed + seen.failed - base.failed,
        )
        return judge(self.rule, self.tally)

    async def watch(
        self, folder: Path, status: Callable[[], Status], clock: Callable[[], float]
    ) -> bool | str:
        """Until it is decided, as ``judge``; the tally is kept in ``folder``."""
        written = self.tally
        while (answer := self.see(status(), clock())) is None:
            if self.tally != written:
                await asyncio.to_thread(write, folder, written := self.tally)
            await asyncio.sleep(STEP_S)
        return answer

    def status(self) -> TrialStatus:
        return {**asdict(self.tally), **asdict(self.rule)}  # type: ignore[typeddict-item]


def begin(folder: Path) -> None:
    """The deployment of this folder is on trial, unless it is already."""
    path = folder / layout.TRIAL_FILE
    if not path.exists():
        layout.write_durably(path, json.dumps(asdict(Tally())) + "\n")


def read(folder: Path) -> Tally | None:
    """None: not on trial. A file that cannot be read counts from 0."""
    try:
        found = mapping(json.loads((folder / layout.TRIAL_FILE).read_text(encoding="utf-8")))
        return Tally(max(0, int(found["answered"])), max(0, int(found["failed"])))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        return Tally()


def write(folder: Path, tally: Tally) -> None:
    """A disk that is full costs the memory of a restart, never the trial."""
    try:
        layout.write_durably(folder / layout.TRIAL_FILE, json.dumps(asdict(tally)) + "\n")
    except OSError as error:
        log.warning("%s: %s; the trial goes on in memory", folder, error.strerror)


def end(folder: Path) -> None:
    (folder / layout.TRIAL_FILE).unlink(missing_ok=True)
