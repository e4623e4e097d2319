"""ONNX Runtime."""

from __future__ import annotations

import os

import numpy as np

from lambdas.inference.model_package import Package
from lambdas.inference.model_spec import ModelError
from lambdas.inference.runtimes.base import Runtime, missing


class OnnxRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int) -> None:
        super().__init__(package, gpu_id)
        try:
            import onnxruntime as ort
        except ImportError:
            raise missing("onnxruntime", "onnxruntime") from None
        options = ort.SessionOptions()
        # ONNX Runtime does not read OMP_NUM_THREADS; the plan's number is meant for it too.
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1") or "1")
        try:
            self._session = ort.InferenceSession(
                package.path("model"), options, providers=_providers(ort, gpu_id)
            )
        except ModelError:
            raise
        except Exception as error:  # its exceptions share no public base
            raise ModelError(f"ONNX Runtime refuses {package.spec.name}: {error}") from None
        self._name = package.spec.input.name

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self._session.run(None, {self._name: batch})
        return outputs


def _providers(ort, gpu_id: int) -> list:  # type: ignore[no-untyped-def]
    if gpu_id < 0:
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise ModelError(
            f"GPU_ID={gpu_id}: this ONNX Runtime has no CUDA provider; install onnxruntime-gpu "
            "or set GPU_ID=-1"
        )
    return [("CUDAExecutionProvider", {"device_id": gpu_id})]
