"""How long a start takes: the core until it is ready, and a killed worker until it works again.

    python -m bench.starting [--rounds 5] [--model FOLDER] [--against CHECKOUT] [--imports] [--json]

Without --model the network does nothing, so what is measured is ours. `ready` is what `/ready`
says: every function has reported, the splitter has heard its workers. `back` is from SIGKILL of a
worker until its next process has said hello. CPU is of the core until then, and of the functions.
--imports lists what the core's process imports, slowest first.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from bench.choosing import add_folder, command_line
from bench.group import Setting, write_group
from bench.machine import cpu_s
from bench.methods import fanfold_path
from bench.packages import folder_package, noop_package
from bench.stats import Spread
from bench.turns import elsewhere, in_turns
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import device_python
from fanfold.localcore.running import RunningCore

WORKER = "w0"
PATIENCE_S = 120.0
Row = Mapping[str, float]
_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)$")


def measure(folder: Path, model: Path | None) -> dict[str, float]:
    """One start and one killed worker; seconds."""
    work = Path(tempfile.mkdtemp(prefix="start-", dir=folder))
    try:
        package = folder_package(model, work / "model.tar.gz") if model else noop_package(work)
        group, _ = write_group(work, Setting(2), package)
        started = time.monotonic()
        with fanfold_path.running_core(work, group) as core:
            ready_s = time.monotonic() - started
            functions = core.get("/api/status")["functions"]
            pids = {f["id"]: f["pid"] for f in functions if f.get("pid")}
            cpu = {"core_cpu_s": cpu_s(core.pid)}
            cpu["functions_cpu_s"] = sum(map(cpu_s, pids.values()))
            return {"ready_s": ready_s, "back_s": _killed(core, pids[WORKER]), **cpu}
    finally:
        shutil.rmtree(work)


def _killed(core: RunningCore, pid: int) -> float:
    """Seconds from a worker's death until the splitter has heard its next process."""
    before = _incarnation(core)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    _until(lambda: _incarnation(core) not in (None, before))
    return time.monotonic() - killed


def _incarnation(core: RunningCore) -> str | None:
    workers = core.get("/api/status")["stats"].get("splitter", {}).get("workers", {})
    told: str | None = workers.get(WORKER, {}).get("incarnation")
    return told


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no new {WORKER} within {PATIENCE_S:g} s")
        time.sleep(0.01)


def model_alone_s(folder: Path) -> float:
    """Seconds of a process that loads an unpacked package and proves it, and nothing else."""
    code = (
        "import sys; from lambdas.model.package import load_package; "
        "from lambdas.model.runtimes.select import load_runtime; "
        "from lambdas.model.hooks import Hooks; from lambdas.worker.warm_up import verify; "
        "package = load_package(sys.argv[1]); verify(package, load_runtime(package, -1), Hooks())"
    )
    begin = time.monotonic()
    subprocess.run([str(device_python()), "-c", code, str(folder)], cwd=PROJECT, check=True)
    return time.monotonic() - begin


def slowest_imports(said: str, most: int = 40) -> list[tuple[float, str]]:
    """(milliseconds with what it imports, module) of `-X importtime`, slowest first. Pure."""
    found = [_IMPORT.match(line) for line in said.splitlines()]
    rows = [(int(one[2]) / 1e3, one[4]) for one in found if one]
    return sorted(rows, reverse=True)[:most]


def _rows(given: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    arguments = ["--folder", str(given.folder)]
    arguments += ["--model", str(given.model.absolute())] if given.model else []
    here = partial(measure, given.folder, given.model)
    there = partial(elsewhere, given.against, "bench.starting", arguments)
    for round_ in range(given.rounds):
        yield from in_turns(round_, here, there if given.against else None)


def summary(rows: Sequence[tuple[str, Row]]) -> Iterator[str]:
    """Per measure the median of each side; a start can only be slowed down, so the lowest too."""
    for side in dict.fromkeys(side for side, _ in rows):
        own = [row for one, row in rows if one == side]
        for key in own[0]:
            spread = Spread.of([row[key] for row in own])
            yield f"{side:8}{key:16} {median(row[key] for row in own):.2f} s  {spread}"


def main(argv: list[str]) -> int:
    parser = command_line("bench.starting", __doc__)
    add_folder(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, help="an unpacked package; without: one that waits")
    parser.add_argument("--against", type=Path, help="another checkout, run in turns with this")
    parser.add_argument("--imports", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    given.folder = given.folder.absolute()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.imports:
        command = [sys.executable, "-X", "importtime", "-c", "import edgecore.__main__"]
        said = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True).stderr
        print("\n".join(f"{ms:8.1f} ms  {name}" for ms, name in slowest_imports(said)))
        return 0
    rows = []
    for side, row in _rows(given):
        rows.append((side, row))
        if not given.json:
            print(side, {key: round(value, 2) for key, value in row.items()}, flush=True)
    print(json.dumps([row for _, row in rows]) if given.json else "\n".join(summary(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
