"""How busy the GPUs are during a run, by NVML where its bindings and a driver are there."""

from __future__ import annotations

import importlib
import statistics
import threading
from types import TracebackType
from typing import Any

EVERY_S = 0.25


class GpuSampler:
    """`with GpuSampler() as gpus`: utilisation of each GPU, sampled four times a second."""

    def __init__(self) -> None:
        self._samples: dict[int, list[int]] = {}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> GpuSampler:
        if nvml := _nvml():
            self._thread = threading.Thread(target=self._loop, args=(nvml,), daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self, nvml: Any) -> None:
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        while not self._over.wait(EVERY_S):
            for index, handle in enumerate(handles):
                busy = nvml.nvmlDeviceGetUtilizationRates(handle).gpu
                self._samples.setdefault(index, []).append(busy)
        nvml.nvmlShutdown()

    def mean_percent(self) -> dict[int, float]:
        """GPU index → mean utilisation in percent; empty where no GPU could be asked."""
        return {index: round(statistics.mean(s), 1) for index, s in self._samples.items()}


def _nvml() -> Any:
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # not installed, no driver, or a driver that does not answer: all "no GPU"
        return None
    return nvml
