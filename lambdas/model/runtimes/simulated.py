"""Stand-ins for measurements: an accelerator that only waits, and a model that does nothing.

They run only where `model.json` asks for them by name, and every result says so.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time

import numpy as np

from lambdas.model.errors import ModelError
from lambdas.model.package import Package
from lambdas.model.runtimes.base import Runtime


class SimulatedRuntime(Runtime):
    """Waits `wait_ms` per image. Workers with the same GPU_ID wait for one another.

    With `echo` its output is its input, so that a hook can tell what the worker has read.
    """

    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        super().__init__(package, gpu_id, ordinal)
        simulation = package.spec.simulation
        wait_ms, gpus = simulation.get("wait_ms"), simulation.get("gpus", 0)
        if not isinstance(wait_ms, (int, float)) or not 0 <= wait_ms <= 60_000:
            raise ModelError(f"simulated.wait_ms is {wait_ms!r}; use 0 to 60000")
        if not isinstance(gpus, int) or (gpu_id >= gpus and gpu_id >= 0):
            raise ModelError(f"GPU_ID={gpu_id}: model.json simulates {gpus!r} GPUs")
        self._wait_s = wait_ms / 1000 * self.input.batch
        self._echo = simulation.get("echo") is True
        self._classes = int(simulation.get("classes", 10))
        self._lock = -1 if gpu_id < 0 else _gpu_lock(package, gpu_id)

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        if self._lock < 0:
            time.sleep(self._wait_s)
        else:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                time.sleep(self._wait_s)
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
        return [batch.copy() if self._echo else np.zeros((len(batch), self._classes), np.float32)]


class NoopRuntime(Runtime):
    """The ceiling of everything around the model: no pixels, no waiting."""

    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        super().__init__(package, gpu_id, ordinal)
        self._classes = max(1, len(package.labels))

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return [np.zeros((batch.shape[0], self._classes), np.float32)]

    def decodes(self) -> bool:
        return False


def _gpu_lock(package: Package, gpu_id: int) -> int:
    name = f"fanfold-simulated-{package.spec.sha256[:16]}-{os.getuid()}-gpu{gpu_id}.lock"
    path = os.path.join(tempfile.gettempdir(), name)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
