"""A whole site in one process and in virtual time: real splitter and aggregator, fake
workers and cameras, and a core between them that keeps none of its promises.

Everything random comes from one seed. A kill closes the part's database without a word
and builds the part anew from what is on disk.
"""

from __future__ import annotations

import heapq
import json
import random
from pathlib import Path
from typing import Any

from sim_oracle import verdict
from sim_parts import EndedError, Hostility, SimBus, Worker
from site_environment import environment

from contract import messages as m
from lambdas.aggregator.engine import Aggregator
from lambdas.common.addressed import work_for
from lambdas.common.loop import Message
from lambdas.common.settings import aggregator_settings, splitter_settings
from lambdas.splitter.engine import Splitter

STEP_S = 0.02
RESEND_S = 3.0
HEARTBEAT_S = 1.0
RESTART_S = 1.0


class Sim:
    def __init__(self, root: Path, seed: int = 0, hostility: Hostility | None = None, **env: str):
        self.env = environment(root, **env)
        self.random = random.Random(seed)
        self.hostility = hostility or Hostility()
        self.now = 1_000.0
        self.wall = 1_790_000_000.0
        self.service_s = 0.01
        self.restart_s = RESTART_S
        self.poison: set[str] = set()
        #: Whether the core says which signal ended a process; V1 does not.
        self.core_reports_ends = False
        self.cloud_takes = True
        self.workers = {n: Worker(n) for n in self.env["FANFOLD_WORKERS"].split(",")}
        for worker in self.workers.values():
            worker.up_at = self.now + 0.2
        self.unaccepted: dict[tuple[str, str], tuple[bytes, float]] = {}
        self.accepted: dict[tuple[str, str], tuple[int, int]] = {}
        self.rejected: list[dict[str, Any]] = []
        self.local: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.cloud: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.in_flight: list[tuple[float, int, str, bytes]] = []
        self.max_in_flight = 0
        self._n = 0
        self._inbox: dict[str, list[Message]] = {"splitter": [], "aggregator": []}
        self.down_until = {"splitter": 0.0, "aggregator": 0.0}
        self.splitter = self._splitter()
        self.aggregator = self._aggregator()

    def _splitter(self) -> Splitter:
        return Splitter(splitter_settings(self.env), SimBus(self), self.now)

    def _aggregator(self) -> Aggregator:
        return Aggregator(aggregator_settings(self.env), SimBus(self), self.now)

    # What a test does

    def image(self, camera: str, event: dict[str, Any]) -> None:
        """Send an event and resend it until it is answered. Its files are there: one that is not
        would end at once."""
        for name in event.get("files", ()):
            self.has_file(name)
        payload = json.dumps(dict(event, v=1)).encode()
        self.unaccepted[camera, event["id"]] = (payload, self.now)
        self.send(f"demo/images/{camera}", payload)

    def manifest(self, camera: str, event_id: str, count: int, **more: Any) -> None:
        files = [f"{camera}/{event_id}/{i}.jpg" for i in range(count)]
        self.image(camera, dict(more, id=event_id, files=files))

    def has_file(self, name: str) -> None:
        path = Path(self.env["FANFOLD_IMAGES_DIR"]) / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"an image")

    def kill(self, part: str, down_s: float = 0.3) -> None:
        if part in self.workers:
            self._kill_worker(self.workers[part], down_s + self.restart_s)
            return
        if part == "splitter":
            self.splitter.journal._db.close()
        else:
            self.aggregator.store._db.close()
        self._inbox[part].clear()
        self.down_until[part] = self.now + down_s
        setattr(self, part, None)

    def lose(self, part: str) -> None:
        """Kill it and take its disk."""
        self.kill(part)
        folder = Path(self.env["FANFOLD_STATE_DIR"]) / part
        for file in folder.iterdir():
            file.unlink()

    def freeze(self, worker: str, seconds: float) -> None:
        self.workers[worker].frozen_until = self.now + seconds

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self._step()

    def settle(self, limit_s: float = 300.0) -> None:
        """Run until everything accepted has a record and nothing is under way."""
        end = self.now + limit_s
        while self.now < end:
            for _ in range(25):
                self._step()
            parts = self.splitter and self.aggregator
            if parts and not self.unaccepted and not self.splitter.backlog.outstanding:
                self.run(2.5)
                return
        raise AssertionError(
            f"not settled after {limit_s} virtual seconds: {len(self.unaccepted)} unaccepted, "
            f"{self.splitter and self.splitter.backlog.outstanding} outstanding"
        )

    def close(self) -> None:
        """Give the files back; hundreds of plants would keep too many open."""
        self.splitter.close()
        self.aggregator.close()

    # The hostile core

    def send(self, topic: str, payload: bytes) -> None:
        hostile = self.hostility
        copies = 1
        if topic.startswith(("fanfold/", "demo/results", "demo/late", "demo/jobs")):
            # What leaves the site is judged by the oracle, so it is left alone.
            hostile = Hostility()
        elif self.random.random() < hostile.drop:
            return
        copies += self.random.random() < hostile.duplicate
        for _ in range(copies):
            wait_s = 0.002
            if self.random.random() < hostile.delay:
                wait_s += self.random.random() * hostile.delay_s
            self._n += 1
            heapq.heappush(self.in_flight, (self.now + wait_s, self._n, topic, payload))
        self.max_in_flight = max(self.max_in_flight, len(self.in_flight))

    def _step(self) -> None:
        self.now += STEP_S
        self.wall += STEP_S
        while self.in_flight and self.in_flight[0][0] <= self.now:
            _, _, topic, payload = heapq.heappop(self.in_flight)
            self._deliver(topic, payload)
        self._resend()
        for worker in self.workers.values():
            self._work(worker)
        for part in ("splitter", "aggregator"):
            if getattr(self, part) is None:
                if self.now < self.down_until[part]:
                    continue
                setattr(self, part, self._splitter() if part == "splitter" else self._aggregator())
            taken, self._inbox[part] = self._inbox[part], []
            try:
                getattr(self, part).step(taken, self.now, self.wall)
            except EndedError:
                self.kill(part, down_s=0.1)

    def _deliver(self, topic: str, payload: bytes) -> None:
        name = topic.rsplit("/", 1)[1]
        if topic.startswith("demo/work/"):
            self._give(self.workers[name], payload)
        elif topic == "demo/done":
            self._put("aggregator", topic, payload)
        elif name in ("accepted", "rejected"):
            self._answer(topic.split("/")[2], name, json.loads(payload))
        elif topic.startswith("demo/images/") or name in ("ack", "heartbeat"):
            self._put("splitter", topic, payload)
        elif topic.startswith("fanfold/") and name == "results":
            self.cloud += _keyed(payload)
        elif topic.startswith("demo/results"):
            self.local += _keyed(payload)
        elif topic.startswith("demo/late"):
            self.late += _keyed(payload)
        elif topic == "demo/jobs":
            self.jobs.append(json.loads(payload))

    def _put(self, part: str, topic: str, payload: bytes) -> None:
        if getattr(self, part) is not None:
            self._inbox[part].append(Message(topic, payload))

    def _answer(self, camera: str, kind: str, body: dict[str, Any]) -> None:
        if kind == "accepted":
            span = (body["seq"], body["count"])
            assert self.accepted.setdefault((camera, body["id"]), span) == span
            self.unaccepted.pop((camera, body["id"]), None)
        else:
            self.rejected.append(body)
            if body["reason"] not in ("busy", "no_space"):
                self.unaccepted.pop((camera, body["id"]), None)

    def _resend(self) -> None:
        for (camera, event_id), (payload, at) in list(self.unaccepted.items()):
            if self.now - at > RESEND_S:
                self.unaccepted[camera, event_id] = (payload, self.now)
                self.send(f"demo/images/{camera}", payload)

    # Workers

    def _kill_worker(self, worker: Worker, down_s: float) -> None:
        worker.incarnation += 1
        worker.restarts += 1
        worker.crashed = False
        # As if it had not fetched what it had not begun.
        worker.queued = [batch["payload"] for batch in worker.batches[1:]] + worker.queued
        worker.batches = []
        worker.left_s = 0.0
        worker.frozen_until = 0.0
        worker.up_at = self.now + down_s

    def _give(self, worker: Worker, payload: bytes) -> None:
        if self.now < worker.up_at or self.now < worker.frozen_until:
            worker.queued.append(payload)
            return
        work = work_for(payload, f"i{worker.incarnation}")
        if work is not None and work.items:
            self._take(worker, work, payload)

    def _take(self, worker: Worker, work: m.Work, payload: bytes) -> None:
        batch = {"id": work.batch, "items": list(work.items), "results": [], "payload": payload}
        worker.batches.append(batch)

    def _work(self, worker: Worker) -> None:
        if self.now < worker.up_at or self.now < worker.frozen_until:
            return
        self._speak(worker, [batch["id"] for batch in worker.batches])
        worker.left_s = min(worker.left_s, 0.0) + STEP_S
        while worker.batches and worker.left_s > 0:
            batch = worker.batches[0]
            item = batch["items"].pop(0)
            if item["id"] in self.poison:
                self._kill_worker(worker, self.restart_s)
                worker.crashed = self.core_reports_ends
                return
            worker.left_s -= self.service_s
            output = {"top": [{"label": f"label of {item['id']}", "index": 1, "score": 0.5}]}
            batch["results"].append(m.result_ok(item, "classification", output, {"inference": 1}))
            worker.handled += 1
            if not batch["items"]:
                worker.batches.pop(0)
                for payload in m.done_messages(
                    batch["id"], worker.name, f"i{worker.incarnation}", None, batch["results"]
                ):
                    self.send("demo/done", payload)

    def _speak(self, worker: Worker, in_hand: list[str]) -> None:
        """Hello once in an incarnation, heartbeats; then what the core has kept for it."""
        incarnation = f"i{worker.incarnation}"
        if worker.said_hello != incarnation:
            worker.said_hello = incarnation
            end = "" if not self.core_reports_ends else "SIGSEGV" if worker.crashed else "SIGKILL"
            self.send("demo/heartbeat", m.hello_message(worker.name, incarnation, None, end))
        if self.now >= worker.heartbeat_at:
            worker.heartbeat_at = self.now + HEARTBEAT_S
            heartbeat = m.Heartbeat(worker.name, incarnation, "heartbeat", None, 0.0, in_hand)
            self.send("demo/heartbeat", m.heartbeat_message(heartbeat))
        queued, worker.queued = worker.queued, []
        for payload in queued:
            self._give(worker, payload)

    def verdict(self, records: list[dict[str, Any]] | None = None) -> dict[str, int]:
        """What the far side is missing, has twice under different content, or out of order."""
        return verdict(self.accepted, self.cloud if records is None else records)


def _keyed(payload: bytes) -> list[dict[str, Any]]:
    """Records with what their message adds to their key."""
    message = json.loads(payload)
    return [{**record, "epoch": message["epoch"]} for record in message["results"]]
