"""Which run of the splitter gave a stream's number: half of the key under which records leave.

Numbers go on from the journal, which may be an older copy of itself; the name of a run is made
anew at every start of the splitter. So (run, stream, number) never means two images, whatever
was restored. Who reads results calls the run `epoch` (docs/spec/cloud-results.md).
"""

from __future__ import annotations

import os
from typing import Dict, Iterable, List, Mapping, Tuple

#: Per stream: the first number of each run, and its name; ascending.
Known = Dict[str, List[Tuple[int, str]]]
# Those whose numbers all have records are forgotten; more are open only where the aggregator
# is away for as many starts.
MOST_PER_STREAM = 64


def new_run(wall: float) -> str:
    """Random; begins with the time in 1/256 s, so that names sort by it: no process is started
    twice within that."""
    return f"{max(int(wall * 256), 0):010x}{os.urandom(3).hex()}"


class Runs:
    def __init__(self, known: Known) -> None:
        self.known: Known = {
            stream: [(int(first), str(name)) for first, name in runs]
            for stream, runs in known.items()
        }
        self.current = ""

    def of(self, stream: str, seq: int) -> str:
        """The run that gave `seq`; of what is not known any more, the earliest that is."""
        runs = self.known.get(stream)
        if not runs:
            return self.current
        if runs[-1][0] <= seq:  # almost always
            return runs[-1][1]
        return next((name for first, name in reversed(runs) if first <= seq), runs[0][1])

    def begin(self, name: str, firsts: Mapping[str, int]) -> None:
        """From `firsts` on, numbers are of run `name`. May be said again, with other numbers, as
        long as it has given none."""
        self.current = name
        for stream, first in firsts.items():
            before = [run for run in self.known.get(stream, ()) if run[0] < first]
            before = [run for run in before if run[1] != name]
            self.known[stream] = [*before, (first, name)][-MOST_PER_STREAM:]

    def learn(self, told: Mapping[str, Iterable[tuple[int, str]]]) -> None:
        """What the splitter knows of its own runs is right; it may know of fewer."""
        for stream, runs in told.items():
            listed = list(runs)
            if listed:
                before = [run for run in self.known.get(stream, ()) if run[0] < listed[0][0]]
                self.known[stream] = [*before, *listed]

    def forget(self, stream: str, low: int) -> None:
        """All numbers of `stream` up to `low` have left for good."""
        runs = self.known.get(stream, [])
        while len(runs) > 1 and runs[1][0] <= low + 1:
            del runs[0]

    def gave(self, name: str, stream: str, seq: int) -> bool:
        """Whether run `name` can speak of `seq`: an earlier run does not know what the present
        one gives, whatever it calls by that number."""
        if name == self.current or not self.current:
            return True
        runs = self.known.get(stream, [])
        return bool(runs) and (runs[-1][1] != self.current or seq < runs[-1][0])
