"""A grabber on its real loop with real camera processes; the splitter is a bus that answers."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Iterator

from waiting import eventually

from lambdas.common.bus import Bus
from lambdas.common.loop import Loop
from lambdas.grabber import process
from lambdas.grabber.grabber import Grabber
from lambdas.grabber.settings import grabber_settings

STATS = "s/stats"


class Splitter(Bus):
    """Answers every event; keeps the bytes of what it accepts. `says`: instead of accepted."""

    def __init__(self, images: Path) -> None:
        self._images = images
        self.put: Any = None
        self.says: dict[str, Any] = {}
        self.silent = False
        self.accepted: list[dict[str, Any]] = []
        self.seen: list[dict[str, Any]] = []
        self.stats: dict[str, Any] = {}
        self._lock = threading.Lock()

    def publish(self, topic: str, payload: bytes) -> bool:
        body = json.loads(payload)
        if topic == STATS:
            self.stats = body["cameras"]
            return True
        with self._lock:
            self.seen.append(body)
            if self.silent:
                return True
            answer = "rejected" if self.says else "accepted"
            if not self.says:
                content = (self._images / body["file"]).read_bytes()
                self.accepted.append({**body, "topic": topic, "content": content})
        self.put(f"{topic}/{answer}", {"v": 1, "id": body["id"], **self.says})
        return True


class Site:
    """`cameras` are entries of FANFOLD_SOURCES. Without `stall_s` they wait so long that only a
    camera which says nothing is silent, not one that a busy machine holds up."""

    def __init__(self, folder: Path, cameras: list[dict[str, Any]]) -> None:
        self.images, self.state = folder / "images", folder / "state"
        for made in (self.images, self.state / "grabber" / "secrets"):
            made.mkdir(parents=True, exist_ok=True)
        sources = [{"stall_s": 20.0, "fps": 20, **camera} for camera in cameras]
        env = {
            "FANFOLD_SITE": "s", "FANFOLD_ROLE": "grabber",
            "FANFOLD_IMAGES_DIR": str(self.images), "FANFOLD_STATE_DIR": str(self.state),
            "FANFOLD_IMAGES_TOPIC": "s/images/", "FANFOLD_STATS_TOPIC": STATS,
            "FANFOLD_SOURCES": json.dumps(sources),
        }  # fmt: skip
        self.settings = grabber_settings(env)
        self.bus = Splitter(self.images)

    def secret(self, name: str, value: str) -> None:
        (self.state / "grabber" / "secrets" / name).write_text(value + "\n")

    @contextlib.contextmanager
    def running(self) -> Iterator[Site]:
        usual_s, process.FIRST_WAIT_S = process.FIRST_WAIT_S, 0.1
        self.grabber = Grabber(self.settings, self.bus, time.monotonic())
        loop = Loop(self.grabber, tick_s=0.01, on_error=self._failed).start()
        self.bus.put = loop.put
        self.grabber.run(loop.put)
        try:
            yield self
        finally:
            loop.stop()
            process.FIRST_WAIT_S = usual_s

    def _failed(self, error: BaseException) -> None:
        raise error

    def camera(self, name: str = "cam1") -> Any:
        return self.grabber.cameras[name]

    def has(self, count: int) -> None:
        """Waits for so many accepted frames in all."""
        eventually(lambda: len(self.bus.accepted) >= count, f"{count} frames: {self.why()}")

    def away(self, code: str, name: str = "cam1") -> str:
        """Waits for the camera to be away for this reason; the sentence."""
        watch = self.camera(name).watch
        eventually(lambda: watch.code == code, f"{code}: {self.why()}")
        return str(watch.error)

    def why(self) -> str:
        return str([(n, c.watch.state, c.watch.error) for n, c in self.grabber.cameras.items()])

    def left(self) -> list[str]:
        """Files of frames that lie in the volume."""
        return [name for _, _, names in os.walk(self.images) for name in names]
