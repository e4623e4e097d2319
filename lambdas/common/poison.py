"""Poison-image detection: which image ended the worker.

After a worker ends with images in hand, each of them is a suspect and goes alone, to an
idle worker, another one than it was on. A suspect that ends a worker while it is alone,
and did so before in company, is poison and is quarantined: two restarts. Where workers
also end without it, as when somebody kills them at random or a device fails, that evidence
is worth less: each such end, up to three, asks for one more attempt alone. Where the core
reports which signal ended a worker, more is known. A fault, such as SIGSEGV, comes from
inside: a suspect that was alone in that worker is poison, whatever else happened. Another
signal comes from outside and is the weakest evidence: it takes five ends in peace, and up to ten
where workers are killed that never had the image. Once an image is found poison, the ends
that it caused are explained: they count no more against the images that were with it. The
splitter asks this of its workers, a transform function of the inference functions that its
tensors went to.
"""

from __future__ import annotations

import signal
from collections import deque
from typing import Protocol, Sequence, TypeVar

#: What a process brings upon itself. SIGKILL is a person's, or a lack of memory.
FAULTS = frozenset(("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS"))
DEATHS_TO_QUARANTINE = 2
MORE_IN_TROUBLE = 3
#: A machine that is slow where workers are killed every other second strikes the same innocent
#: image five times alone; ten times it does not.
MORE_UNDER_KILLS = 5
#: Where only is known that a process ended by a fault, not by which.
ANY_FAULT = "SIGSEGV"
TROUBLE_WINDOW_S = 30.0


class Suspect(Protocol):
    """An image: how many workers have ended with it in hand, unexplained, and the last of them.

    `ends` is the detector's own: the numbers of those ends.
    """

    deaths: int
    ends: tuple[int, ...]
    killed: tuple[str, ...]


Image = TypeVar("Image", bound=Suspect)
_Held_co = TypeVar("_Held_co", bound=Suspect, covariant=True)


class Held(Protocol[_Held_co]):
    """What a worker had in hand when it ended. `doubtful`: perhaps it never got that far."""

    alone: bool
    doubtful: bool

    @property
    def images(self) -> Sequence[_Held_co]: ...


def evidence(image: Suspect, who: str) -> str:
    """Why an image is quarantined; `who` has ended, in the singular."""
    ended = f"{image.deaths} {who}{'s' if image.deaths > 1 else ''} ended"
    return f"{ended} with this image in hand, the last with it alone"


def ends_needed(end: str, others: int = 0) -> int:
    """How many ends make a suspect poison, the last of them with it alone.

    `end`: the signal that ended the worker, "" where nobody knows; `others`: how many workers
    ended lately without the image.
    """
    if end in FAULTS:
        return 1
    if end:
        return DEATHS_TO_QUARANTINE + MORE_IN_TROUBLE + min(others, MORE_UNDER_KILLS)
    return DEATHS_TO_QUARANTINE + min(others, MORE_IN_TROUBLE)


def signal_of(exit_code: int) -> str:
    """The signal that ended a child process, "" where it exited by itself."""
    try:
        return signal.Signals(-exit_code).name if exit_code < 0 else ""
    except ValueError:  # a real-time signal has no name
        return ""


class PoisonDetector:
    """Pure: remembers when workers ended, decides about what they held."""

    def __init__(self, now: float) -> None:
        self._ends = 1
        # By number, the lately ended that nothing explains. What happened before this start
        # is not known; caution costs one more attempt.
        self._recent: dict[int, float] = {0: now}
        self._explained: deque[int] = deque(maxlen=1_000)

    def died(
        self, worker: str, batches: Sequence[Held[Image]], now: float, end: str = ""
    ) -> list[Image]:
        """Count a worker's end against what it held; returns the images to quarantine.

        `end`: the signal that ended it, as the core reports; "" where that is not known.
        """
        number, self._ends = self._ends, self._ends + 1
        self._forget(now - TROUBLE_WINDOW_S)
        self._recent[number] = now
        poison: list[Image] = []
        for batch in batches:
            for image in () if batch.doubtful else batch.images:
                image.ends = (*(e for e in image.ends if e not in self._explained), number)
                image.deaths = len(image.ends)
                image.killed = (*image.killed, worker)[-4:]
                if batch.alone and image.deaths >= self._needed(image, end):
                    poison.append(image)
                    self._explain(image.ends)
        return poison

    def _needed(self, image: Suspect, end: str) -> int:
        return ends_needed(end, len(self._recent.keys() - set(image.ends)))

    def _forget(self, before: float) -> None:
        for number, at in list(self._recent.items()):
            if at >= before:
                break
            del self._recent[number]

    def _explain(self, ends: tuple[int, ...]) -> None:
        """Known to be an image's doing: no evidence about other images."""
        self._explained.extend(ends)
        for number in ends:
            self._recent.pop(number, None)
