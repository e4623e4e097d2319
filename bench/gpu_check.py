"""`python -m bench.gpu_check`: what one NVIDIA GPU does under the real core, in five minutes.

Needs PyTorch with CUDA and Fanfold's own requirements. Which device each form of
`CUDA_VISIBLE_DEVICES` leaves; pinned workers, 1, 2, 4 and 8 copies on one card, with throughput and
memory per copy; the same under MPS where its daemon can be started beside everything else; the
transform on a core against decoding on the GPU. Exit code 0: measured; 1: a part failed; 3: no GPU.
`--cpu` goes through the same steps without a GPU, to try the script itself.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.gpu_model import gpu_decode_rate, package, pictures, transform_rate
from bench.group import Machine, Setting
from bench.machine import describe
from bench.methods.fanfold_path import measure
from contract.accelerators.cards import Card
from contract.accelerators.library import DriverError, Library
from contract.accelerators.looking import look
from contract.accelerators.nvml import LIBRARY, memory_mb

COPIES = (1, 2, 4, 8)
MEMORY_MB = 128_000
EXIT_FAILED, EXIT_NO_GPU = 1, 3
MPS = "nvidia-cuda-mps-control"
_DEVICES = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
uuid = str(getattr(torch.cuda.get_device_properties(0), "uuid", "")) if count else ""
print(json.dumps({"count": count, "uuid": uuid}))
"""


class Check:
    """One run: parts one after the other until the time is over; a part that fails is said."""

    def __init__(self, card: Card | None, work: Path, seconds: float) -> None:
        self.card, self._work = card, work
        self._ends = time.monotonic() + seconds
        self.report: dict[str, Any] = {"machine": describe(), "gpu": card and card.__dict__}
        self.failed: list[str] = []

    def part(self, name: str, run: Callable[[], Any]) -> None:
        if time.monotonic() > self._ends:
            self.report[name] = "left out: the time is over"
            return
        try:
            self.report[name] = run()
        except Exception as error:  # the next part may still be measured
            self.report[name] = f"failed: {error}"
            self.failed.append(name)
        print(f"{name}: {json.dumps(self.report[name], default=str)[:400]}", flush=True)

    def all(self, copies: tuple[int, ...], images: int, decode_s: float) -> None:
        photos = pictures(self._work / "pictures")
        model, variables = package(self._work, self.card is not None)
        if self.card is not None:
            card = self.card
            self.part("visible_devices", lambda: visible_devices(card))
        for count in copies:
            run = partial(self._copies, count, model, variables, photos, images)
            self.part(f"copies_{count}", run)
        if self.card is not None:
            self.part("mps", lambda: self._under_mps(model, variables, photos, images))
        self.part("transform_on_one_core_per_s", lambda: transform_rate(photos, decode_s))
        if self.card is not None:
            self.part("decoding_on_the_gpu_per_s", lambda: gpu_decode_rate(photos, decode_s))

    def _copies(
        self, count: int, model: Path, variables: dict[str, str], photos: list[Path], images: int
    ) -> dict[str, Any]:
        profile = _profile(self.card, count, variables)
        machine = Machine(profile, {"copies_per_gpu": count} if self.card else {})
        with memory_of(self.card) as memory:
            found = measure(
                self._work / f"copies-{count}",
                Setting(count, gpus=0),
                model,
                photos,
                count=images,
                machine=machine,
                python=Path(sys.executable),
            )
        kept = ("images_per_s", "steady_images_per_s", "cpu_cores_used", "stages_ms", "busy_share")
        used = memory["highest"] - memory["before"]
        return {
            **{key: found[key] for key in kept},
            "gpu_memory_mb": used,
            "gpu_memory_mb_per_copy": round(used / count),
        }

    def _under_mps(
        self, model: Path, variables: dict[str, str], photos: list[Path], images: int
    ) -> Any:
        """A daemon of one's own, with folders of its own: no setting of the machine is touched."""
        if shutil.which(MPS) is None:
            return f"not measured: {MPS} is not installed"
        assert self.card is not None
        with tempfile.TemporaryDirectory(prefix="mps-") as folder:
            env = {
                "CUDA_MPS_PIPE_DIRECTORY": folder,
                "CUDA_MPS_LOG_DIRECTORY": folder,
                "CUDA_VISIBLE_DEVICES": self.card.uuid,
            }
            surroundings = {**os.environ, **env}
            subprocess.run([MPS, "-d"], env=surroundings, check=True, timeout=20)
            try:
                pipe = {**variables, "CUDA_MPS_PIPE_DIRECTORY": folder}
                return {
                    f"copies_{count}": self._copies(count, model, pipe, photos, images)
                    for count in (2, 4)
                }
            finally:
                subprocess.run([MPS], input=b"quit\n", env=surroundings, check=False, timeout=20)


def visible_devices(card: Card) -> dict[str, Any]:
    """What PyTorch sees behind each form, and whether that is the card where one is meant."""
    forms = {
        "index": ("0", True),
        "uuid": (card.uuid, True),
        "prefix": (card.uuid[:12], True),
        "unknown": ("GPU-00000000-0000-0000-0000-000000000000", False),
        "repeated": ("0,0", False),
        "empty": ("", False),
    }
    found: dict[str, Any] = {}
    for name, (value, meant) in forms.items():
        env = {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": value}
        command = [sys.executable, "-c", _DEVICES]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        seen = json.loads(done.stdout.splitlines()[-1])
        same = seen["uuid"].removeprefix("GPU-") == card.uuid.removeprefix("GPU-")
        found[name] = {**seen, "as_expected": same if meant else seen["count"] == 0}
    return found


@contextlib.contextmanager
def memory_of(card: Card | None) -> Iterator[dict[str, int]]:
    """Used memory of the card before, and its highest while the block runs, megabytes."""
    found = {"before": 0, "highest": 0}
    ended = threading.Event()
    if card is None:
        yield found
        return
    library = Library(LIBRARY)
    library.call("nvmlInit_v2")
    handle = ctypes.c_void_p()
    library.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(card.index), ctypes.byref(handle))
    found["before"] = found["highest"] = memory_mb(library, handle, "used")

    def watch() -> None:
        while not ended.wait(0.2):
            with contextlib.suppress(DriverError):
                found["highest"] = max(found["highest"], memory_mb(library, handle, "used"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join(5)
        library.call("nvmlShutdown")


def _profile(card: Card | None, count: int, variables: dict[str, str]) -> dict[str, Any]:
    gpus = []
    if card is not None:
        gpus = [{"index": card.index, "model": card.name, "memory_mb": card.memory_mb or 1}]
        gpus[0] |= {"uuid": card.uuid} if card.uuid else {}
    return {
        "architecture": "x86_64",
        "cpu_cores": max(len(os.sched_getaffinity(0)), count),
        "memory_mb": MEMORY_MB,
        "reserved": {"cores": 0, "memory_mb": 512},
        "gpus": gpus,
        "environment": variables,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="without a GPU: to try the script")
    parser.add_argument("--out", type=Path, default=Path("build/gpu_check.json"))
    parser.add_argument("--seconds", type=float, default=280.0, help="no new part after this")
    parser.add_argument("--images", type=int, default=400, help="in each run of workers")
    chosen = parser.parse_args()
    cards = [card for card in look().cards if card.visible and not card.mig]
    if not cards and not chosen.cpu:
        print("no GPU here: NVML and /proc/driver/nvidia name none (--cpu tries the script)")
        return EXIT_NO_GPU
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        check = Check(None if chosen.cpu else cards[0], Path(folder), chosen.seconds)
        check.all((1, 2) if chosen.cpu else COPIES, chosen.images, 1.0 if chosen.cpu else 5.0)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(check.report, indent=1, default=str), encoding="utf-8")
    print(f"written: {chosen.out}")
    for name in check.failed:
        print(f"{name} {check.report[name]}", file=sys.stderr)
    return EXIT_FAILED if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
