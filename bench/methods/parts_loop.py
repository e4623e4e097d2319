"""Splitter and aggregator without a core: what their own code costs an image, at any size.

Device interpreter. Journal, custody and store are real files; the bus is a list, and workers
answer at once. Prints one JSON object: CPU microseconds per image of each part, memory, and how
long both take to start again from their files.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, Callable

from bench.methods.peer import Options
from contract import messages as m
from contract.image_kinds import JPEG
from contract.topics import Topics
from lambdas.aggregator.engine import Aggregator
from lambdas.common.bus import RecordingBus
from lambdas.common.loop import Message, Part
from lambdas.common.settings import aggregator_settings, splitter_settings
from lambdas.splitter.engine import Splitter

BATCH, WINDOW = 8, 2
STEP_S = 0.01
MODEL = {"name": "noop", "version": "1.0.0", "sha256": "0" * 64}
PICTURE = JPEG.magic + b"x" * 200
TOPICS = Topics("bench")
#: Events that come before one step takes them together: 1,600 images a second.
GROUP = 16
#: One image at a time, `--alone`: 16 a second, as a line of cameras sends them.
ALONE_STEP_S = 1 / 16
HEARTBEAT_S = 1.0


class Size(Options):
    streams: int
    backlog: int
    past: int
    alone: bool

    @property
    def group(self) -> int:
        """Events that a step takes together."""
        return 1 if self.alone else GROUP

    @property
    def step_s(self) -> float:
        return ALONE_STEP_S if self.alone else STEP_S


class Site:
    """Both parts of one site in `root`, and what passes between them."""

    def __init__(self, root: str, size: Size) -> None:
        self._root, self._size = root, size
        self.images = str(Path(root, "images"))
        self.cameras = [f"cam{number}" for number in range(size.streams)]
        self.workers = [f"w{number}" for number in range(size.workers)]
        self.now = 1000.0
        self.steps = self.finished = 0
        self.cpu_s: dict[str, float] = defaultdict(float)
        self._events = self._due = 0
        self._done: dict[str, int] = defaultdict(int)
        self._beats: dict[str, tuple[int, bytes]] = {}
        self._to: dict[str, list[Message]] = {"splitter": [], "aggregator": []}
        self._work: deque[Any] = deque()
        self.bus = RecordingBus()
        self.parts = self._open()

    def _open(self) -> dict[str, Part]:
        env = _environment(self._root, self.images, self.cameras, self.workers)
        parts: dict[str, Part] = {
            "splitter": Splitter(splitter_settings(env), self.bus, self.now),
            "aggregator": Aggregator(
                aggregator_settings(dict(env, FANFOLD_ROLE="aggregator")), self.bus, self.now
            ),
        }
        for worker in self.workers:
            hello = m.hello_message(worker, "i-1", MODEL)
            self._to["splitter"].append(Message(TOPICS.heartbeat, hello))
        return parts

    def reopen(self) -> float:
        """End both and start them from their files; seconds. Workers end as well: the answers to
        what they held would be duplicates, as many as there are workers, and be measured."""
        for part in self.parts.values():
            part.close()
        self._work.clear()
        begin = time.perf_counter()
        self.parts = self._open()
        return time.perf_counter() - begin

    def events(self, count: int) -> None:
        """So many single images, one camera after the other."""
        for _ in range(count):
            camera = self.cameras[self._events % len(self.cameras)]
            body = {"v": 1, "id": f"e-{self._events}", "file": f"{self._events % 64:02d}.jpg"}
            payload = json.dumps(body).encode()
            self._to["splitter"].append(Message(TOPICS.images(camera), payload))
            self._events += 1

    @property
    def idle(self) -> bool:
        """Whether every image that came has its result."""
        return self.finished == self._events

    def step(self, answered: int = sys.maxsize) -> None:
        """Both parts once; at most about `answered` images get a result."""
        self.now += self._size.step_s
        self.steps += 1
        if self.steps % round(HEARTBEAT_S / self._size.step_s) == 0:
            for worker in self.workers:
                self._to["splitter"].append(Message(TOPICS.heartbeat, self._heartbeat(worker)))
        for name, part in self.parts.items():
            taken, self._to[name] = self._to[name], []
            begin = time.thread_time()
            part.step(taken, self.now, time.time())
            self.cpu_s[name] += time.thread_time() - begin
            self._deliver()
        self._due = min(self._due, 0) + answered  # a batch may have answered more than were due
        while self._work and self._due > 0:
            self._due -= self._answer(*self._work.popleft())

    def _heartbeat(self, worker: str) -> bytes:
        """As the worker itself would make it: the same again while it finishes nothing."""
        done = self._done[worker]
        if self._beats.get(worker, (-1, b""))[0] != done:
            beat = m.Heartbeat(worker, "i-1", "heartbeat", MODEL, 0.0, None, done, 0)
            self._beats[worker] = (done, m.heartbeat_message(beat))
        return self._beats[worker][1]

    def _deliver(self) -> None:
        sent, self.bus.sent = self.bus.sent, []
        for topic, payload in sent:
            if topic == TOPICS.done:
                self._to["aggregator"].append(Message(topic, payload))
            elif topic == TOPICS.ack:
                self._to["splitter"].append(Message(topic, payload))
            elif topic.startswith(TOPICS.work_prefix):
                self._work.append((topic[len(TOPICS.work_prefix) :], payload))
            elif topic.startswith(TOPICS.results_prefix):
                self.finished += payload.count(b'"status"')

    def _answer(self, worker: str, payload: bytes) -> int:
        work = m.parse_work(payload)
        output = {"top": [{"label": "class0", "score": 0.1}]}
        results = [
            m.result_ok(dict(item, sha256="0" * 64), "classification", output, {"read": 0.1})
            for item in work.items
        ]
        for done in m.done_messages(work.batch, worker, "i-1", MODEL, results):
            self._to["aggregator"].append(Message(TOPICS.done, done))
        self._done[worker] += len(results)
        return len(results)


def _environment(root: str, images: str, cameras: list[str], workers: list[str]) -> dict[str, str]:
    topics = {
        "IMAGES": TOPICS.images_prefix,
        "WORK": TOPICS.work_prefix,
        "DONE": TOPICS.done,
        "ACK": TOPICS.ack,
        "RESULTS": TOPICS.results_prefix,
        "LATE": TOPICS.late_prefix,
        "STATS": TOPICS.stats,
    }
    return {
        "FANFOLD_SITE": TOPICS.site,
        "FANFOLD_ROLE": "splitter",
        "FANFOLD_IMAGES_DIR": images,
        "FANFOLD_STATE_DIR": f"{root}/state",
        "FANFOLD_CAMERAS": ",".join(cameras),
        "FANFOLD_WORKERS": ",".join(workers),
        "FANFOLD_BATCH": str(BATCH),
        "FANFOLD_WINDOW": str(WINDOW),
        "FANFOLD_MAX_BACKLOG": "1000000",
        **{f"FANFOLD_{name}_TOPIC": topic for name, topic in topics.items()},
    }


def _until(site: Site, holds: Callable[[], bool], answered: int = sys.maxsize) -> None:
    still, before = 0, -1
    while not holds():
        site.step(answered)
        still, before = (still + 1, before) if site.finished == before else (0, site.finished)
        if still > 2_000:
            raise RuntimeError(f"nothing moves after {site.finished} images")


def _steadily(site: Site, wanted: int, group: int) -> int:
    """As many images come as leave, until `wanted` have; how many did."""
    first = site.finished
    while site.finished - first < wanted:
        site.events(group)
        site.step(answered=group)
    return site.finished - first


def run(root: str, size: Size) -> dict[str, Any]:
    Path(root, "images").mkdir(parents=True)
    for number in range(64):
        Path(root, "images", f"{number:02d}.jpg").write_bytes(PICTURE)
    site = Site(root, size)
    for _ in range(5):
        site.step()
    for begin in range(0, size.past, GROUP):
        site.events(min(GROUP, size.past - begin))
        site.step()
    _until(site, lambda: site.finished >= size.past)
    for begin in range(0, size.backlog, 1_000):
        site.events(min(1_000, size.backlog - begin))
        site.step(answered=0)
    restart_s = site.reopen()
    for _ in range(5):
        site.step(answered=0)
    # Until as many leave as come: what workers hold at first has no end yet.
    _steadily(site, size.workers * WINDOW * BATCH, GROUP)
    if size.alone:
        _until(site, lambda: site.idle)  # else batches of what is left over come with each image
    site.cpu_s.clear()
    finished = _steadily(site, size.count, size.group)
    return {
        "method": "parts_loop",
        "streams": size.streams,
        "workers": size.workers,
        "backlog": size.backlog,
        "past": size.past,
        "images": finished,
        "cpu_us": {part: round(used / finished * 1e6, 1) for part, used in site.cpu_s.items()},
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
        "restart_s": round(restart_s, 2),
    }


def main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=2_000, help="images that are measured")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--backlog", type=int, default=100, help="waiting all the time")
    parser.add_argument("--past", type=int, default=0, help="finished before")
    parser.add_argument("--alone", action="store_true", help="one image at a time, 16 a second")
    parser.add_argument("--folder", default=None)
    size = parser.parse_args(namespace=Size())
    root = tempfile.mkdtemp(prefix="scale-", dir=getattr(size, "folder", None))
    try:
        print(json.dumps(run(root, size)))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
