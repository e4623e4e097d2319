"""ONNX Runtime, on the CPU or on an NVIDIA GPU (the package onnxruntime-gpu)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from lambdas.model.errors import ModelError
from lambdas.model.onnx_trust import check_onnx
from lambdas.model.package import Package
from lambdas.model.runtimes.base import (
    Inputs,
    Runtime,
    missing,
    thread_count,
)

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
_TYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
    "tensor(uint8)": "uint8", "tensor(int64)": "int64", "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}  # fmt: skip


class OnnxRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        super().__init__(package, gpu_id, ordinal)
        try:
            import onnxruntime as ort
        except ImportError:
            raise missing("onnxruntime", "onnxruntime") from None
        # Before the runtime opens the file: up to 1.23 it follows paths out of the package.
        check_onnx(package, ort.__version__)
        providers = _providers(ort, gpu_id, self.ordinal, package)
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
        found = self._session.get_inputs()
        typed = [(each.name, each.shape, _TYPES.get(each.type, each.type)) for each in found]
        self._inputs = Inputs(package, typed)
        self._fed = dict(self._inputs.extra)
        self.output_names = [each.name for each in self._session.get_outputs()]

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        self._fed[self._inputs.name] = self._inputs.feed(batch)
        outputs: list[np.ndarray] = self._session.run(None, self._fed)
        return outputs


def _providers(ort: Any, gpu_id: int, ordinal: int, package: Package) -> list[Any]:
    if gpu_id < 0:
        return ["CPUExecutionProvider"]
    available = ort.get_available_providers()
    if CUDA not in available:
        raise ModelError(
            f"GPU_ID={gpu_id}: this ONNX Runtime has no CUDA provider; install onnxruntime-gpu "
            "or set GPU_ID=-1"
        )
    cuda = (CUDA, {"device_id": ordinal})
    if package.spec.options.get("provider") != "tensorrt":
        return [cuda]
    if TENSORRT not in available:
        raise ModelError(
            "options.provider is tensorrt and this ONNX Runtime has no TensorRT provider: install "
            "TensorRT 10 beside onnxruntime-gpu, or remove the option to use CUDA"
        )
    return [(TENSORRT, _tensorrt(ordinal, package)), cuda]


def _tensorrt(ordinal: int, package: Package) -> dict[str, Any]:
    """Engines take minutes to build, so they are kept, by the package that they were made of."""
    kept = os.path.join(os.environ.get("FANFOLD_STATE_DIR", "."), "engines", package.spec.sha256)
    os.makedirs(kept, exist_ok=True)
    return {
        "device_id": ordinal,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": kept,
        "trt_timing_cache_enable": True,
        "trt_fp16_enable": package.spec.options.get("fp16") is True,
    }


def _check_device(session, gpu_id: int) -> None:  # type: ignore[no-untyped-def]
    # Without a driver or with a GPU that is not there it runs on the CPU and only logs it.
    if gpu_id >= 0 and CUDA not in session.get_providers():
        raise ModelError(
            f"GPU_ID={gpu_id}: ONNX Runtime could not use this GPU and fell back to the CPU; "
            "check the driver, CUDA and cuDNN and the device files of the profile, or set GPU_ID=-1"
        )
