"""A rate is asked for a time: what arrived, how late, and whether that could go on for ever.

    python -m bench.send_rate --images FOLDER [--model PACKAGE] [--rate 16] [--streams 1]
                              [--seconds 60] [--workers 2] [--out FILE]

The whole path, images of all streams evenly over time, sent whether results come or not. Without
--model the network waits 35 ms an image. A row every tenth of the time: arrived, p50 and p99 in
ms, memory of all processes. Stable: what arrived is what was sent, latency of the last third is
not above that of the second by more than half, and memory does not rise by more than 5 %.
With --seconds 86400 it is the soak: a day at --rate. Exit code 1: not stable.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.choosing import add_folder, command_line
from bench.group import SITE, Machine, Setting, simulated_profile, write_group
from bench.machine import pss_kb
from bench.methods.fanfold_path import cpu_of, part_pids, running_core
from bench.packages import simulated_package
from bench.path_cost import jpegs
from bench.stats import percentile
from contract.topics import Topics
from fanfold.common.errors import UserError
from fanfold.sending.mqtt import Console

WAIT_MS = 35.0
PERIODS = 10
LATER = 1.5
GROWN = 1.05
#: After the last image, for what is on its way.
DRAIN_S = 10.0


@dataclass(frozen=True)
class Period:
    """A tenth of a run. Times in ms, from publish to the ordered result."""

    sent: int
    arrived: int
    p50: float
    p99: float
    memory_mb: float


def verdict(periods: Sequence[Period]) -> list[str]:
    """Why a rate is not stable; empty: it is. Pure.

    The first third is a start: caches fill, workers learn their pace.
    """
    third = max(len(periods) // 3, 1)
    middle, last = periods[third : 2 * third] or periods, periods[-third:]
    problems = []
    sent, arrived = sum(p.sent for p in periods), sum(p.arrived for p in periods)
    if arrived < sent:
        problems.append(f"{sent - arrived} of {sent} images have no result")
    before, after = max(p.p50 for p in middle), max(p.p50 for p in last)
    if after > LATER * before:
        problems.append(f"latency rises: p50 {before:.0f} ms, then {after:.0f}")
    small, large = max(p.memory_mb for p in middle), max(p.memory_mb for p in last)
    if large > GROWN * small:
        problems.append(f"memory rises: {small:.0f} MB, then {large:.0f}")
    return problems


class Sender:
    """Publishes on time and listens between."""

    def __init__(self, console: Console, cameras: Sequence[str], files: Sequence[str]) -> None:
        self._console, self._cameras, self._files = console, cameras, files
        self._sent_at: dict[str, float] = {}
        self.sent = 0

    def run(self, rate: float, seconds: float) -> list[float]:
        """Milliseconds of what arrived within this time."""
        begin, first = time.perf_counter(), self.sent
        latencies: list[float] = []
        while (now := time.perf_counter()) - begin < seconds:
            due = first + int((now - begin) * rate) + 1
            while self.sent < due:
                self._publish()
            until_next = begin + (self.sent - first) / rate - time.perf_counter()
            latencies += self.listen(max(min(until_next, begin + seconds - now), 0.0))
        return latencies

    def listen(self, seconds: float) -> list[float]:
        message = self._console.receive(seconds)
        if message is None:
            return []
        now = time.perf_counter()
        ids = [record["id"] for record in message.json()["results"] if record["status"] == "ok"]
        return [(now - self._sent_at.pop(each)) * 1e3 for each in ids if each in self._sent_at]

    @property
    def awaited(self) -> int:
        return len(self._sent_at)

    def _publish(self) -> None:
        name = f"rate-{self.sent}"
        camera = self._cameras[self.sent % len(self._cameras)]
        event = {"v": 1, "id": name, "file": self._files[self.sent % len(self._files)]}
        self._sent_at[name] = time.perf_counter()
        self._console.publish(Topics(SITE).images(camera), json.dumps(event).encode())
        self.sent += 1


def measure(given: argparse.Namespace, work: Path) -> Iterator[Period]:
    """One period after the other, as they end. Raises UserError."""
    setting = Setting(given.workers, batch=8)
    cameras = [f"cam{number + 1}" for number in range(given.streams)]
    site = {"cameras": [{"name": name} for name in cameras]}
    package = given.model or simulated_package(work, WAIT_MS, 0)
    machine = Machine(simulated_profile(setting), site=site)
    group, _ = write_group(work, setting, package, machine=machine)
    files = []
    for number, image in enumerate(jpegs(given.images)):
        files.append(f"{number:04d}{image.suffix}")
        (work / "images" / files[-1]).write_bytes(image.read_bytes())
    with running_core(work, group) as core, Console(core, [Topics(SITE).results("#")]) as console:
        sender = Sender(console, cameras, files)
        pids = part_pids(core)
        cpu = sum(cpu_of(pids).values())
        for number in range(PERIODS):
            before = sender.sent
            took = sender.run(given.rate, given.seconds / PERIODS)
            if number == PERIODS - 1:
                ends = time.monotonic() + DRAIN_S
                while sender.awaited and time.monotonic() < ends:
                    took += sender.listen(0.1)
            memory_mb = pss_kb(list(pids.values())) / 1e3
            p50, p99 = (percentile(took, p) if took else float("inf") for p in (50, 99))
            yield Period(sender.sent - before, len(took), p50, p99, memory_mb)
        used_ms = (sum(cpu_of(pids).values()) - cpu) * 1e3 / sender.sent
        print(f"{used_ms:.2f} ms of CPU per image, all processes", file=sys.stderr)


def main(argv: list[str]) -> int:
    parser = command_line("bench.send_rate", __doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a package, as an archive")
    parser.add_argument("--rate", type=float, default=16.0, help="images a second, of all streams")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    add_folder(parser)
    parser.add_argument("--out", type=Path, help="periods and verdict as JSON")
    given = parser.parse_args(argv)
    given.folder.mkdir(parents=True, exist_ok=True)
    periods: list[Period] = []
    print("sent  arrived   p50 ms   p99 ms  memory MB")
    try:
        with tempfile.TemporaryDirectory(prefix="rate-", dir=given.folder.absolute()) as work:
            for one in measure(given, Path(work)):
                periods.append(one)
                print(
                    f"{one.sent:4} {one.arrived:8} {one.p50:8.1f} {one.p99:8.1f} "
                    f"{one.memory_mb:10.0f}", flush=True,
                )  # fmt: skip
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    problems = verdict(periods)
    print("; ".join(problems) or f"stable at {given.rate:g} images/s over {given.streams} streams")
    if given.out is not None:
        kept: dict[str, Any] = {"v": 1, "rate": given.rate, "problems": problems}
        kept["periods"] = [asdict(one) for one in periods]
        given.out.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
