"""ONNX Runtime, on the CPU or on an NVIDIA GPU (the package onnxruntime-gpu)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lambdas.model.package import Package
from lambdas.model.runtimes.base import Runtime, check_input, missing, thread_count
from lambdas.model.spec import ModelError

CUDA = "CUDAExecutionProvider"


class OnnxRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int) -> None:
        super().__init__(package, gpu_id)
        try:
            import onnxruntime as ort
        except ImportError:
            raise missing("onnxruntime", "onnxruntime") from None
        providers = _providers(ort, gpu_id)
        options = ort.SessionOptions()
        options.intra_op_num_threads = thread_count()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; it warns about its own optimiser at every load
        try:
            self._session = ort.InferenceSession(
                package.path("model"), options, providers=providers
            )
        except Exception as error:  # its exceptions share no public base
            raise ModelError(f"ONNX Runtime refuses {package.spec.name}: {error}") from None
        _check_device(self._session, gpu_id)
        first = self._session.get_inputs()[0]
        check_input(package, first.name, first.shape)
        self._name = first.name

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self._session.run(None, {self._name: batch})
        return outputs


def _providers(ort: Any, gpu_id: int) -> list[Any]:
    if gpu_id < 0:
        return ["CPUExecutionProvider"]
    if CUDA not in ort.get_available_providers():
        raise ModelError(
            f"GPU_ID={gpu_id}: this ONNX Runtime has no CUDA provider; install onnxruntime-gpu "
            "or set GPU_ID=-1"
        )
    return [(CUDA, {"device_id": gpu_id})]


def _check_device(session, gpu_id: int) -> None:  # type: ignore[no-untyped-def]
    # Without a driver or with a GPU that is not there it runs on the CPU and only logs it.
    if gpu_id >= 0 and CUDA not in session.get_providers():
        raise ModelError(
            f"GPU_ID={gpu_id}: ONNX Runtime could not use this GPU and fell back to the CPU; "
            "check the driver, CUDA and cuDNN and the device files of the profile, or set GPU_ID=-1"
        )
