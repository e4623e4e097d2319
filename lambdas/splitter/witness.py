"""What the images volume saw of the journal's numbers: a backup of journal and store does not
put it back with them.

`.fanfold/numbers`, in one line: which journal, and each stream's next number. It is not synced, and
nothing of what is promised stands on it: it lets the next start *say* that both came from a backup,
and which images were accepted after it.
"""

from __future__ import annotations

import json
import os
from typing import Mapping

from contract.volumes import NUMBERS, OWN_FOLDER
from lambdas.common.log import Throttle, get_logger
from lambdas.common.paths import PathError, make_folder_inside, open_inside

WRITE_EVERY_S = 0.25
# The line has every stream: of more it is written less often, so that a stream costs nothing.
STREAMS_AT_ONCE = 64
MAX_BYTES = 1 << 20
# Of a backup that is years old. What is above was not written by a splitter.
FURTHEST = 1_000_000_000

_log = get_logger("splitter")


class Witness:
    def __init__(self, root: str, journal: str) -> None:
        """`journal`: the identity of the file, which a copy of it has as well."""
        self._root = root
        self._journal = journal
        self._written: dict[str, int] = {}
        self._write_at = float("-inf")
        self._throttle = Throttle(60.0)

    def read(self) -> dict[str, int]:
        """Next numbers by stream; none where another journal's were seen last. Raises `OSError`."""
        journal, numbers = self._last()
        return numbers if journal == self._journal else {}

    def is_of_another(self) -> bool:
        """Whether another journal's numbers were seen last. Raises `OSError`."""
        return self._last()[0] not in {"", self._journal}

    def _last(self) -> tuple[str, dict[str, int]]:
        """Which journal wrote last, and its next numbers; "": nobody that we know."""
        try:
            descriptor, _ = open_inside(self._root, NUMBERS, MAX_BYTES)
        except PathError:
            return "", {}
        with open(descriptor, "rb") as file:
            line = file.readline()
        try:
            seen = json.loads(line)
            numbers = {str(name): int(number) for name, number in seen["next"].items()}
            return str(seen["journal"]), numbers
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return "", {}

    def beyond(self, own: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """By stream, from which to below which number it saw what `own` does not know."""
        return {
            stream: (own.get(stream, 1), seen)
            for stream, seen in self.read().items()
            if own.get(stream, 1) < seen <= own.get(stream, 1) + FURTHEST
        }

    def due(self, now: float) -> bool:
        """As often as makes sense."""
        return now >= self._write_at

    def record(self, numbers: Mapping[str, int], now: float) -> None:
        """When it is due; a volume that does not take it has other troubles."""
        if numbers == self._written:
            return
        self._write_at = now + WRITE_EVERY_S * max(1.0, len(numbers) / STREAMS_AT_ONCE)
        try:
            self._write(json.dumps({"journal": self._journal, "next": dict(numbers)}) + "\n")
            self._written = dict(numbers)
        except (OSError, PathError) as error:
            if self._throttle.due("witness") is not None:
                _log.info("%s/%s is not written: %s", self._root, NUMBERS, error)

    def _write(self, line: str) -> None:
        """In place: what an older, longer line leaves behind it is not read."""
        folder = make_folder_inside(self._root, OWN_FOLDER)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(NUMBERS[len(OWN_FOLDER) + 1 :], flags, 0o644, dir_fd=folder)
            try:
                os.pwrite(descriptor, line.encode(), 0)
            finally:
                os.close(descriptor)
        finally:
            os.close(folder)
