"""The small interface that every model runtime has here."""

from __future__ import annotations

import numpy as np

from lambdas.inference.model_package import Package
from lambdas.inference.model_spec import Input, ModelError


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
        f"install it on the device or compile the model for another runtime"
    )
