"""The small interface that every model runtime has here."""

from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np

from lambdas.model.package import Package
from lambdas.model.spec import Input, ModelError


class Runtime:
    """A loaded network. One thread calls `infer`."""

    def __init__(self, package: Package, gpu_id: int) -> None:
        self.input: Input = package.spec.input
        self.device = "cpu" if gpu_id < 0 else f"gpu({gpu_id})"

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        """Outputs for a full batch of `input.shape` (float32), each with the batch first."""
        raise NotImplementedError

    def decodes(self) -> bool:
        """False: the images' pixels are not needed (a measurement without a model)."""
        return True


def missing(module: str, runtime: str) -> ModelError:
    return ModelError(
        f"runtime {runtime} needs the Python package {module}, which is not installed here: "
        f"install it on the device (requirements-device-runtimes.txt has the version) "
        f"or compile the model for another runtime"
    )


def thread_count() -> int:
    """Threads for one network: the plan's OMP_NUM_THREADS, whether a runtime reads it or not."""
    text = os.environ.get("OMP_NUM_THREADS", "") or "1"
    if not text.isdigit() or not int(text):
        raise ModelError(f"OMP_NUM_THREADS={text!r}: use a whole number, 1 at least")
    return int(text)


def check_input(package: Package, name: str, shape: Sequence[Any]) -> None:
    """The file's own input against model.json's; a dimension without a number fits any."""
    spec = package.spec
    if name != spec.input.name:
        raise ModelError(
            f"{spec.name} {spec.version}: the network's input is {name!r}, "
            f"model.json says input.name {spec.input.name!r}"
        )
    wanted = spec.input.shape
    fixed = [(a, b) for a, b in zip(shape, wanted) if isinstance(a, int) and a != b]
    if len(shape) != len(wanted) or fixed:
        raise ModelError(
            f"{spec.name} {spec.version}: the network takes {list(shape)}, "
            f"model.json says input.shape {list(wanted)}"
        )
