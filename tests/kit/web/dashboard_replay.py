"""A core without a core: replays what docs/spec/messages.md says a busy site publishes.

Deterministic but for time: images arrive at four cameras, two workers detect, one classifies.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from edgecore.core.observers import Observers
from edgecore.web.dashboard.ports import ActionRefusedError, Message, SiteView

MODEL = {"name": "lite0", "version": "1.0.0", "sha256": "a1b2c3d4e5f60718"}
LABELS = ("scratch", "dent", "cap", "label")


def jpeg(width: int, height: int, seed: int = 0) -> bytes:
    """A grey part with a bright edge on a dark belt: something to draw a box on."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(40, 90, height)[:, None, None]
    pixels = np.broadcast_to(rows, (height, width, 3)).copy()
    y, x = int(height * 0.25), int(width * 0.3)
    pixels[y : y + height // 2, x : x + width // 2] = rng.integers(90, 220, 3)
    pixels[y : y + height // 40 + 1, x : x + width // 2] = 240
    return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels.astype(np.uint8)), quality=85)


class ReplayCore:
    """Status provider, hub and actions in one."""

    offered = ("restart", "drain", "publish")

    def __init__(self, folder: Path, *, workers: int = 4, cameras: Sequence[str] = ()) -> None:
        self.canary: dict[str, Any] = {}
        self.cameras = tuple(cameras) or ("cam1", "cam2", "press7", "press8")
        self.view = SiteView(
            site="demo",
            images_dir=str(folder),
            cameras=self.cameras[:8],
            cloud_topic="fanfold/demo/results",
        )
        self.log_dir = folder / "logs"
        self.log_dir.mkdir(exist_ok=True)
        self.log_dir.joinpath("w0.log").touch()
        self.names = [f"w{i}" for i in range(workers)]
        self.states = dict.fromkeys(self.names, "ready")
        self.seq = dict.fromkeys(self.cameras, 0)
        self.done = dict.fromkeys(self.names, 0)
        self.failed = 0
        self.held: dict[str, int] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.started = time.time()
        self.observers = Observers()
        for index in range(4):
            folder.joinpath(f"{index}.jpg").write_bytes(jpeg(1280, 960, index))

    def publish_now(self, topic: str, body: object, t: float | None = None) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.observers.see(t or time.time(), topic, payload, "arn:test")

    def listen(
        self, filters: Sequence[str], capacity: int, linger_s: float = 0.0
    ) -> AsyncIterator[Message]:
        return self.observers.listen(filters, capacity, linger_s)

    def image(self, camera: str, worker: str, **changes: Any) -> None:
        """One image through the whole site, from publish to cloud."""
        self.seq[camera] += 1
        seq, now = self.seq[camera], time.time()
        image_id = f"{camera}-{seq:06d}"
        file = f"{seq % 4}.jpg"
        demo = "demo"
        event = {"v": 1, "id": image_id, "file": file}
        self.publish_now(f"{demo}/images/{camera}", event, now - 0.0462)
        accepted = {"v": 1, "id": image_id, "stream": camera, "seq": seq, "count": 1}
        self.publish_now(f"{demo}/images/{camera}/accepted", accepted, now - 0.0440)
        item = {"stream": camera, "seq": seq, "id": image_id, "file": file, "t_in": now - 0.0451}
        work = {"v": 1, "batch": f"b-{camera}-{seq}", "attempt": 1, "items": [item]}
        self.publish_now(f"{demo}/work/{worker}", work)
        record = result(item, worker, seq) | changes
        self.done[worker] += 1
        self.failed += record["status"] == "failed"
        ordered = {"v": 1, "site": demo, "stream": camera, "results": [record]}
        self.publish_now(f"{demo}/results/{camera}", ordered, now)
        cloud = {"v": 1, "site": demo, "core": "demo-core", "batch": "c", "results": [record]}
        self.publish_now("fanfold/demo/results", cloud, now + 0.35)

    def status(self) -> dict[str, Any]:
        now = time.time()
        return {
            "v": 1,
            "core": {
                "thing": "demo-core",
                "version": "0.1.0",
                "uptime_s": now - self.started,
                "pid": 4711,
                "ports": {"http": 8080},
            },
            "group": {
                "name": "demo",
                "id": "g-1",
                "version": "v-3",
                "deployment": "d-0003",
                "applied_at": self.started,
                "history": [
                    {"deployment": "d-0003", "t": self.started, "outcome": "applied"},
                    {
                        "deployment": "d-0004",
                        "t": now,
                        "outcome": "rolled back",
                        "detail": "w0 died",
                    },
                ],
            },
            "functions": [self._function(n) for n in ("splitter", "aggregator", *self.names)],
            "router": {
                "work_items": 12,
                "limit": 1024,
                "delivered": 10_240,
                "refused": 0,
                "unrouted": 0,
            },
            "mqtt": {
                "clients": [{"client_id": "demo-cam1", "since": self.started, "published": 3}]
            },
            "cloud": {
                "sink": "local",
                "spooled": 3,
                "spooled_bytes": 4096,
                "sent": 120,
                "dropped": 0,
                "last_sync": now - 2,
            },
            "stats": self._stats(now),
            "findings": [],
            **({"canary": self.canary} if self.canary else {}),
        }

    def _function(self, name: str) -> dict[str, Any]:
        state = self.states.get(name, "ready")
        return {
            "id": name,
            "arn": f"arn:aws:lambda:us-east-1:123456789012:function:fanfold-demo-{name}:live",
            "pinned": True,
            "state": "hung" if state == "hung" else "running",
            "pid": 100,
            "restarts": 1 if state == "hung" else 0,
            "queue": 2,
            "oldest_ms": 4,
            "invocations": 812,
            "errors": 0,
            "rss_kb": 305_000,
            "gpu_id": self._gpu_id(name),
            "last_error": "no heartbeat for 31 s: killed" if state == "hung" else None,
        }

    def _gpu_id(self, name: str) -> str | None:
        if name not in self.names:
            return None
        return str(self.names.index(name) % 2) if name in ("w0", "w1") else "-1"

    def _stats(self, now: float) -> dict[str, Any]:
        workers = {
            name: {
                "state": self.states[name],
                "drained": self.states[name] == "drained",
                "credits": 2,
                "inflight": 4,
                "incarnation": "9f2c",
                "done": self.done[name],
                "busy_ms": 12,
                "model": None if self.states[name] == "starting" else MODEL,
            }
            for name in self.names
        }
        total = sum(self.seq.values())
        splitter = {
            "v": 1,
            "part": "splitter",
            "t": now,
            "accepted": total,
            "rejected": {"too_large": 1},
            "duplicates": 0,
            "backlog": 31 + total % 7,
            "inflight": 12,
            "redispatched": 0,
            "done": total,
            "workers": workers,
        }
        aggregator = {
            "v": 1,
            "part": "aggregator",
            "t": now,
            "emitted": total,
            "duplicates": 0,
            "gaps": 0,
            "late": 0,
            "failed": self.failed,
            "dropped": {},
            "reorder_buffer": self.held,
            "outbox_rows": 40,
            "cloud_batches": 12,
            "s3_objects": 3,
            "last_sync": now - 1,
        }
        return {"splitter": splitter, "aggregator": aggregator}

    async def restart(self, function_id: str) -> None:
        if function_id not in {*self.names, "splitter", "aggregator"}:
            raise ActionRefusedError(f"function {function_id!r} is not in the group")
        self.calls.append(("restart", function_id))

    async def drain(self, on: bool, workers: Sequence[str] | None) -> None:
        self.calls.append(("drain", on, workers))
        for name in self.names if workers is None else workers:
            self.states[name] = "drained" if on else "ready"

    async def publish(self, topic: str, payload: bytes, source: str | None = None) -> int:
        self.calls.append(("publish", topic, payload))
        self.publish_now(topic, payload)
        return 1 if topic.startswith("demo/") else 0


def result(item: dict[str, Any], worker: str, seed: int) -> dict[str, Any]:
    ms = {"queue": 3.1, "read": 0.4, "transform": 7.9 + seed % 5, "inference": 15.8, "order": 0.2}
    common = {**item, "worker": worker, "model": MODEL, "ms": ms, "attempt": 1, "low": 1}
    if seed % 3:
        score = 0.62 + (seed % 30) / 100
        boxes = [
            {"label": LABELS[seed % 4], "index": 0, "score": score, "box": [0.3, 0.25, 0.8, 0.75]},
            {"label": "seal", "index": 1, "score": 0.55, "box": [0.32, 0.02, 0.5, 0.2]},
        ]
        return common | {"status": "ok", "task": "ssd_detection", "output": {"boxes": boxes}}
    top = [{"label": "espresso", "index": 967, "score": 0.946}]
    return common | {"status": "ok", "task": "classification", "output": {"top": top}}
