"""The whole path: MQTT publish → splitter → workers → ordered, durable result on MQTT.

Tooling interpreter. The real core in a process of its own runs a group that the planner
rendered; a console publishes file events and receives the results.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.gpu import GpuSampler
from bench.group import CAMERA, SITE, Machine, Setting, write_group
from bench.machine import cpu_s, pss_kb
from bench.stats import percentiles, steady_rate
from contract.topics import Topics
from fanfold.common.errors import FAILED, UserError
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import RUNTIME, device_python
from fanfold.localcore import running
from fanfold.sending.mqtt import Console
from infra.planning.capacity import PATH_MS
from infra.planning.site import Backlog

READY_TIMEOUT_S = 90
SILENCE_S = 60.0
#: Images without a result; above it the splitter says `busy`.
MOST_WAITING: int = Backlog().max_images
#: Parts of the path itself, whose memory counts against the 150 MB.
PATH_PARTS = ("splitter", "aggregator")
EVENT_FILES = 100
#: CPU of an image that comes in a manifest of 100 files of 20 KB, all parts and both workers: 0.44
#: and 0.41 ms in two runs of `bench.asked`, AMD EPYC, two idle cores, 2026-11-30.
MANIFEST_MS = 0.43


@contextmanager
def running_core(
    work: Path, group: Path, more: Sequence[str] = (), python: Path | None = None
) -> Iterator[running.RunningCore]:
    """The real core with free ports; ended, and its children with it, at the end."""
    state = work / "core"
    command = [sys.executable, "-m", "edgecore", "--group", str(group), "--state", str(state)]
    for port in ("--mqtt-plain-port", "--ipc-port", "--http-port"):
        command += [port, "0"]
    command += ["--mqtt-port", "off", "--isolation", "none", "--python", _python(python)]
    command += more
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    state.mkdir(parents=True, exist_ok=True)
    with (work / "core.out").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield _await_ready(process, state, work / "core.out")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _python(python: Path | None) -> str:
    """`python`: of the functions; None: the device environment's."""
    python = python or device_python()
    if python is None:
        raise UserError("no interpreter for the Lambdas. Run `make setup`.", FAILED)
    return f"{RUNTIME}={python}"


def _await_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> running.RunningCore:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        core = running.read(state)
        if core and core.pid == process.pid and core.ready():
            return core
        time.sleep(0.1)
    raise UserError(f"the core did not become ready:\n{log.read_text()[-2000:]}", FAILED)


def measure(  # noqa: PLR0913 - what a measurement varies, by name
    work: Path,
    setting: Setting,
    model: Path,
    images: list[Path],
    *,
    count: int,
    slow_model: Path | None = None,
    files_per_event: int = 1,
    in_flight: int | None = None,
    inline: bool = False,
    machine: Machine | None = None,
    core_arguments: Sequence[str] = (),
    python: Path | None = None,
) -> dict[str, Any]:
    """One run; start-up and a warm-up of two images per worker lie outside the measured time.

    `in_flight`: an image leaves only when fewer than so many results are awaited, so that
    latency holds no backlog; 1 is latency at low load; None sends all at once, as far as the
    splitter takes them.
    `inline`: an image is the message, not a file that it names.
    Raises UserError when results are missing or out of order.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    path_ms = PATH_MS if files_per_event == 1 else MANIFEST_MS
    group, predicted = write_group(work, setting, model, slow_model, machine, path_ms=path_ms)
    if in_flight == 1:
        predicted = None  # what is asked is the time of one image, not how many there can be
    folder = work / "images" / CAMERA
    folder.mkdir()
    names = [f"{CAMERA}/{image.name}" for image in images]
    for image in images:
        shutil.copy(image, folder / image.name)
    started = running_core(work, group, core_arguments, python)
    topics = [Topics(SITE).results("#"), Topics(SITE).rejected(CAMERA)]
    with started as core, Console(core, topics) as console:
        client = _Client(console, names, files_per_event, images if inline else None)
        client.run(2 * setting.workers, None)
        pids = part_pids(core)
        cpu_before = cpu_of(pids)
        start = time.perf_counter()
        with GpuSampler() as gpus:
            records, latencies_ms = client.run(count, in_flight)
        total_s = time.perf_counter() - start
        cpu = {part: used - cpu_before[part] for part, used in cpu_of(pids).items()}
        memory = {part: pss_kb([pid]) for part, pid in pids.items()}
    return {
        "method": "fanfold",
        "workers": setting.workers,
        "images": count,
        "files_per_event": files_per_event,
        "predicted_images_per_s": predicted,
        "total_s": total_s,
        "images_per_s": count / total_s,
        "steady_images_per_s": steady_rate(client.arrivals_s[-count:]),
        "cpu_cores_used": sum(cpu.values()) / total_s,
        "cpu_us_per_image": {part: round(used / count * 1e6, 1) for part, used in cpu.items()},
        "gpu_percent": gpus.mean_percent(),
        "stages_ms": _stages(records, latencies_ms),
        "busy_share": sum(r["ms"]["inference"] for r in records) / 1e3 / setting.workers / total_s,
        "worker_images": _share(records),
        "pss_kb": memory,
        "path_pss_kb": sum(memory.get(p, 0) for p in ("core", *PATH_PARTS)),
        "total_pss_kb": sum(memory.values()),
        "workers_pss_kb": sum(kb for p, kb in memory.items() if p not in ("core", *PATH_PARTS)),
    }


class _Client:
    """Publishes events and collects the results, checking their order."""

    def __init__(
        self,
        console: Console,
        names: list[str],
        files_per_event: int,
        inline: Sequence[Path] | None = None,
    ) -> None:
        self._console, self._names, self._per_event = console, names, files_per_event
        self._inline = inline
        self._events = 0
        self._next_seq = 1
        #: When each result came, in order, perf_counter seconds.
        self.arrivals_s: list[float] = []

    def run(self, count: int, in_flight: int | None) -> tuple[list[dict[str, Any]], list[float]]:
        """→ (records in order, ms from publish to arrival of each)."""
        records: list[dict[str, Any]] = []
        latencies: list[float] = []
        sent: list[float] = []
        room = in_flight or MOST_WAITING
        while len(records) < count:
            free, left = room - (len(sent) - len(records)), count - len(sent)
            # Whole events, but for the last one: a few images each would be another path.
            sent += self._publish(left if left <= free else free - free % self._per_event)
            arrived = self._receive()
            now = time.perf_counter()
            self.arrivals_s += [now] * len(arrived)
            latencies += [(now - sent[len(records) + i]) * 1e3 for i in range(len(arrived))]
            records += arrived
        return records, latencies

    def _publish(self, count: int) -> list[float]:
        times: list[float] = []
        while len(times) < count:
            size = min(self._per_event, count - len(times))
            self._console.publish(Topics(SITE).images(CAMERA), self._event(len(times), size))
            times += [time.perf_counter()] * size
            self._events += 1
        return times

    def _event(self, at: int, size: int) -> bytes:
        if self._inline:
            # Each once: the same bytes again are the same image.
            return self._inline[self._events % len(self._inline)].read_bytes()
        files = [self._names[(at + i) % len(self._names)] for i in range(size)]
        event: dict[str, Any] = {"v": 1, "id": f"bench-{self._events}"}
        event.update({"file": files[0]} if self._per_event == 1 else {"files": files})
        return json.dumps(event).encode()

    def _receive(self) -> list[dict[str, Any]]:
        message = self._console.receive(SILENCE_S)
        if message is None:
            raise UserError(f"no result for {SILENCE_S:.0f} s", FAILED)
        if message.topic == Topics(SITE).rejected(CAMERA):
            refused = message.json()
            raise UserError(
                f"the splitter refused event {refused.get('id')}: {refused.get('reason')}, "
                f"{refused.get('detail', 'no detail')}; its images have no results",
                FAILED,
            )
        results: list[dict[str, Any]] = message.json()["results"]
        for record in results:
            if record["seq"] != self._next_seq or record["status"] != "ok":
                raise UserError(f"expected seq {self._next_seq}, ok; got {record}", FAILED)
            self._next_seq += 1
        return results


def part_pids(core: running.RunningCore) -> dict[str, int]:
    functions = core.get("/api/status")["functions"]
    return {"core": core.pid, **{f["id"]: f["pid"] for f in functions if f.get("pid")}}


def cpu_of(pids: dict[str, int]) -> dict[str, float]:
    """Seconds of CPU that each part has used, and the client that feeds them (this process)."""
    return {**{part: cpu_s(pid) for part, pid in pids.items()}, "client": time.process_time()}


def _stages(
    records: list[dict[str, Any]], latencies_ms: list[float]
) -> dict[str, dict[str, float]]:
    stages = {
        stage: [r["ms"][stage] for r in records if stage in r["ms"]]
        for stage in ("queue", "read", "transform", "inference", "order")
    }
    stages["end_to_end"] = latencies_ms
    return {stage: percentiles(values) for stage, values in stages.items() if values}


def _share(records: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in records:
        counts[record["worker"]] = counts.get(record["worker"], 0) + 1
    return counts
