"""Two real parts as processes, and one instant worker between them that knows no fault."""

from __future__ import annotations

import functools
import json
import os
import queue
import threading
import time
from contextlib import suppress
from pathlib import Path

from checkout import PROJECT
from forked import fork, start_server
from site_environment import environment

from contract import messages as m

DEADLINE_S = 90.0


@functools.lru_cache(maxsize=None)
def part_server() -> str:
    """The address of this process's server of parts."""
    return start_server(PROJECT / "tests/kit/lambdas/part_process.py")


class Part:
    """A process that is started again when it dies; the fault is armed once."""

    def __init__(self, role: str, env: dict[str, str], fault: str, out: queue.Queue) -> None:
        self.role, self.env, self.out = role, env, out
        self.deaths: list[int] = []
        self._start(fault)

    def _start(self, fault: str = "") -> None:
        env = dict(os.environ, **self.env, PYTHONPATH=str(PROJECT), FANFOLD_FAULT_POINT=fault)
        stdin, to_it = os.pipe()
        from_it, stdout = os.pipe()
        self.process = fork(
            part_server(), [self.role], cwd=Path.cwd(), env=env, descriptors=[stdin, stdout, 2]
        )
        for given in (stdin, stdout):
            os.close(given)
        self.stdin = os.fdopen(to_it, "wb")
        threading.Thread(target=self._read, args=(os.fdopen(from_it, "rb"),), daemon=True).start()

    def _read(self, stream) -> None:
        with stream:
            for line in stream:
                if line.endswith(b"\n"):
                    self.out.put(json.loads(line))

    def revive(self) -> None:
        if self.process.poll() is not None:
            self.deaths.append(self.process.returncode)
            self._hang_up()
            self._start()

    def give(self, topic: str, payload: str) -> None:
        self.revive()
        line = json.dumps({"topic": topic, "payload": payload}).encode() + b"\n"
        with suppress(BrokenPipeError):
            self.stdin.write(line)
            self.stdin.flush()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._hang_up()

    def _hang_up(self) -> None:
        with suppress(BrokenPipeError):
            self.stdin.close()


class Site:
    """Routes between two real parts and one instant worker, in this thread."""

    def __init__(self, root: Path, fault: str = "", **more: str) -> None:
        env = environment(
            root,
            FANFOLD_WORKERS="w0",
            FANFOLD_CLOUD_BATCH_S="0.05",
            FANFOLD_OUTBOX_BUCKET="bucket",
            FANFOLD_OUTBOX_EVERY_S="0.3",
            **more,
        )
        self.images = Path(env["FANFOLD_IMAGES_DIR"])
        self.out: queue.Queue = queue.Queue()
        armed = {"splitter": "", "aggregator": ""}
        armed["splitter" if fault.startswith("splitter") else "aggregator"] = fault
        self.splitter = Part("splitter", env, armed["splitter"], self.out)
        self.aggregator = Part("aggregator", env, armed["aggregator"], self.out)
        self.accepted: dict[str, tuple[int, int]] = {}
        self.local: list[dict] = []
        self.cloud: list[dict] = []
        self.heartbeat_at = 0.0

    def route(self, topic: str, payload: str) -> None:
        if topic == "demo/done":
            self.aggregator.give(topic, payload)
        elif topic == "demo/ack":
            self.splitter.give(topic, payload)
        elif topic.startswith("demo/work/"):
            self._work(m.parse_work(payload))
        elif topic.endswith("/accepted"):
            body = json.loads(payload)
            span = (body["seq"], body["count"])
            assert self.accepted.setdefault(body["id"], span) == span
        elif topic.startswith("demo/results/"):
            self.local += json.loads(payload)["results"]
        elif topic == "fanfold/demo/results":
            self.cloud += json.loads(payload)["results"]

    def _work(self, work: m.Work) -> None:
        results = [m.result_ok(i, "classification", {"top": []}, {}) for i in work.items]
        if results:
            for payload in m.done_messages(work.batch, "w0", "i0", None, results):
                self.aggregator.give("demo/done", payload.decode())

    def run(self, events: dict[str, int], more) -> None:
        """Until every event's images are in the cloud and `more()` holds."""
        deadline = time.monotonic() + DEADLINE_S
        # Eight events a second once both parts work: several commits, batches and objects.
        resend_at = {event: 0.0 if n == 0 else deadline for n, event in enumerate(events)}
        paced = False
        while time.monotonic() < deadline:
            now = time.monotonic()
            if now >= self.heartbeat_at:
                self.heartbeat_at = now + 0.2
                heartbeat = m.Heartbeat("w0", "i0", "heartbeat", None, 0.0, [])
                self.splitter.give("demo/heartbeat", m.heartbeat_message(heartbeat).decode())
                self.aggregator.give("demo/done", "{}")
            if self.accepted and not paced:
                paced = True
                resend_at = {event: now + n / 8 for n, event in enumerate(events)}
            for event, count in events.items():
                if event not in self.accepted and now >= resend_at[event]:
                    resend_at[event] = now + 1.0
                    self.splitter.give("demo/images/cam1", self.event(event, count))
            try:
                message = self.out.get(timeout=0.02)
                self.route(message["topic"], message["payload"])
            except queue.Empty:
                pass
            if len(self.accepted) == len(events) and self._ended() and more():
                return
        raise AssertionError(f"{len(self.accepted)} accepted, {len(self.cloud)} in the cloud")

    def event(self, event: str, count: int) -> str:
        """What the camera says; `count` images, which are there."""
        names = [f"{event}/{number}.jpg" for number in range(count)]
        for name in names:
            path = self.images / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():  # said again, not written again: that would be another image
                path.write_bytes(b"an image")
        return json.dumps({"v": 1, "id": event, "files": names})

    def _ended(self) -> bool:
        return len({r["seq"] for r in self.cloud}) >= sum(n for _, n in self.accepted.values())

    def stop(self) -> None:
        self.splitter.stop()
        self.aggregator.stop()
