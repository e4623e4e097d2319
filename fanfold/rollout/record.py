"""A rollout's record: one line of JSON for each thing that happened, synced before the next.

It is the audit record and what a rollout resumes from. One process writes it at a time.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from edgecore.disk.one_holder import hold
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.rollout.state import Ended, Rollout, Stand, decide
from fanfold.rollout.waves import Wave

Event = dict[str, Any]
VERSION = 1


def key_of(model: str, sites: Iterable[str]) -> str:
    """The same for the same model and sites: how the command finds its record again."""
    told = json.dumps([model, sorted(sites)])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def fold(events: Iterable[Event]) -> Rollout:
    """Raises ValueError where the events are no rollout's."""
    state: Rollout | None = None
    for event in events:
        if event["event"] == "begun":
            state = Rollout.begun(event["waves"])
        elif state is None:
            raise ValueError("it does not start with `begun`")
        else:
            state = _after(state, event)
    if state is None:
        raise ValueError("it is empty")
    return state


def _after(state: Rollout, event: Event) -> Rollout:
    match event["event"]:
        case "site":
            return state.moved(event["site"], Stand(event["stand"]), event["t"], event["why"])
        case "stopped":
            return state.halted(event["why"])
        case "resumed":
            return state.resumed(event["t"], event["without"])
        case "gone":
            return state.left_out(event["t"], event["sites"])
    return state


class Record:
    """The open file; `state` is the fold of all that it says."""

    def __init__(self, path: Path) -> None:
        """Raises UserError: another rollout writes it, or it is damaged."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        said = f"rollout {path.stem} is under way in another process; wait for it, or stop it"
        hold(self._file, UserError(said, FAILED))
        self.events = list(self._read())
        self.state = self._folded() if self.events else None

    def close(self) -> None:
        self._file.close()

    def add(self, event: str, **said: Any) -> Rollout:
        """Write one event and return the state after it."""
        told: Event = {"v": VERSION, "t": round(time.time(), 3), "event": event, **said}
        events = [*self.events, told]
        self.state = fold([told]) if event == "begun" else _after(self.known, told)
        line = json.dumps(told, ensure_ascii=False) + "\n"
        self._file.write(line.encode("utf-8", "backslashreplace"))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.events = events
        return self.state

    @property
    def known(self) -> Rollout:
        if self.state is None:
            raise ValueError(f"{self.path} is empty")
        return self.state

    @property
    def begun(self) -> Event:
        """Its first event: model, waves, and each site's version before."""
        return self.events[0]

    def begin(self, model: str, waves: Sequence[Wave], before: dict[str, str | None]) -> None:
        self.add("begun", model=model, waves=waves, before=before, by=who())

    def _read(self) -> Iterator[Event]:
        """A last line that a power cut tore is dropped, and cut off."""
        self._file.seek(0)
        end = 0
        for line in iter(self._file.readline, b""):
            if not line.endswith(b"\n"):
                self._file.truncate(end)
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise self._damaged(error) from error
            end += len(line)

    def _folded(self) -> Rollout:
        try:
            return fold(self.events)
        except (ValueError, KeyError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        self._file.close()
        return UserError(
            f"{self.path}: not the record of a rollout ({error}). Move it away to begin anew: "
            "sites that run the model already are left alone.",
            INVALID,
        )


def is_done(path: Path) -> bool:
    """Whether a rollout is recorded there that is through."""
    if not path.exists():
        return False
    with closing(Record(path)) as record:
        return record.state is not None and decide(record.state) == Ended(done=True)


def set_aside_if_done(path: Path) -> None:
    """So that the same model can go to the same sites again, after another one say."""
    if not path.exists():
        return
    record = Record(path)
    try:
        if record.state and decide(record.state) == Ended(done=True):
            path.rename(path.with_name(f"{path.stem}-{int(record.begun['t'])}.jsonl"))
    finally:
        record.close()


def who() -> str:
    """The user and the machine, for the record."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return f"uid {os.getuid()}@{socket.gethostname()}"
