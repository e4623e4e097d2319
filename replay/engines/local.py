"""The pool of this machine, in a process of its own, so that its end is not the driver's."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any

from lambdas.common.pipes import feed, hang_up
from replay.cut import Shard
from replay.engines.engine import CameBack, Done, Ended, Event, Unable
from replay.errors import CannotLoadError, ReplayError
from replay.shard import Job, Outcome

#: Shards at once: while the last images of one are under way, the next one's fill the pool.
LANES = 2


class LocalEngine:
    isolates = False
    places = 1

    def __init__(self, job: Job) -> None:
        self._job = job
        self._in_hand: dict[str, Shard] = {}
        self._said: queue.Queue[tuple[subprocess.Popen[str], str]] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None
        self._began = False

    def room(self) -> int:
        return LANES - len(self._in_hand)

    def submit(self, shard: Shard) -> None:
        process = self._process or self._start()
        self._in_hand[shard.key] = shard
        feed(process, shard.line() + "\n")  # where it has ended, its output's end tells

    def wait(self, timeout_s: float) -> list[Event]:
        try:
            process, line = self._said.get(timeout=timeout_s)
        except queue.Empty:
            return []
        if process is not self._process:
            return []
        return self._events(line) if line else self._ended(process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._hang_up(self._process)
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        path = os.pathsep.join(each for each in sys.path if each)
        process = subprocess.Popen(
            [sys.executable, "-m", "replay.engines.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C is the driver's: it ends this process when it has said what is left.
            start_new_session=True,
        )  # fmt: skip
        self._process, self._began = process, False
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        feed(process, json.dumps(self._job._asdict()) + "\n")
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self._said.put((process, line))
        self._said.put((process, ""))

    def _events(self, line: str) -> list[Event]:
        message = json.loads(line)
        if "cannot" in message:
            raise ReplayError(message["cannot"])
        if "began" in message:
            self._began = True
            return []
        return [self._event(message)]

    def _event(self, message: dict[str, Any]) -> Event:
        shard = self._in_hand.pop(message["key"])
        if "done" in message:
            return Done(Outcome(**message["done"]))
        if "unable" in message:
            why = f"the package does not fit this machine: {message['unable']}"
            return Unable(shard, "this machine", CannotLoadError(why))
        if "again" in message:
            return CameBack(shard, message["again"])
        raise ReplayError(f"shard {shard.stream} {shard.first}-{shard.last}: {message['error']}")

    def _ended(self, process: subprocess.Popen[str]) -> list[Event]:
        code = process.wait()
        self._hang_up(process)
        self._process = None
        if not self._began:  # no shard is to blame
            raise ReplayError(
                f"the process that is to run the shards ends before it begins (exit code {code}); "
                "its reason is in the log above. Nothing is lost: start the same replay again"
            )
        held, self._in_hand = list(self._in_hand.values()), {}
        return [Ended(held, f"exit code {code}")] if held else []

    def _hang_up(self, process: subprocess.Popen[str]) -> None:
        process.wait()
        hang_up(process)
