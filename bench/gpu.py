"""How busy the GPUs are during a run, by NVML where its bindings and a driver are there."""

from __future__ import annotations

import importlib
import statistics
from typing import Any

from bench.sampling import Sampling


class GpuSampler(Sampling):
    """`with GpuSampler() as gpus`: utilisation of each GPU, sampled four times a second."""

    every_s = 0.25

    def __init__(self) -> None:
        super().__init__()
        self._samples: dict[int, list[int]] = {}
        self._nvml: Any = None
        self._handles: list[Any] = []

    def ready(self) -> bool:
        try:
            self._nvml = nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            count = nvml.nvmlDeviceGetCount()
            self._handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(count)]
        except Exception:  # not installed, no driver, or one that does not answer: all "no GPU"
            return False
        return True

    def sample(self) -> None:
        for index, handle in enumerate(self._handles):
            busy = self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu
            self._samples.setdefault(index, []).append(busy)

    def ended(self) -> None:
        self._nvml.nvmlShutdown()

    def mean_percent(self) -> dict[int, float]:
        """GPU index → mean utilisation in percent; empty where no GPU could be asked."""
        return {index: round(statistics.mean(s), 1) for index, s in self._samples.items()}
