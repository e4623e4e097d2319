"""OpenVINO, on the CPU or on an Intel GPU."""

from __future__ import annotations

import os

import numpy as np

from lambdas.inference.model_package import Package
from lambdas.inference.model_spec import ModelError
from lambdas.inference.runtimes.base import Runtime, missing


class OpenvinoRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int) -> None:
        super().__init__(package, gpu_id)
        try:
            import openvino as ov
        except ImportError:
            raise missing("openvino", "openvino") from None
        device = "CPU" if gpu_id < 0 else f"GPU.{gpu_id}"
        threads = int(os.environ.get("OMP_NUM_THREADS", "1") or "1")
        options = {"PERFORMANCE_HINT": "LATENCY"}
        if gpu_id < 0:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            core = ov.Core()
            model = core.read_model(package.path("model"), package.path("weights"))
            self._request = core.compile_model(model, device, options).create_infer_request()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO refuses {package.spec.name} on {device}: {error}") from None

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        results = self._request.infer([batch], share_inputs=True)
        return [np.array(value) for value in results.values()]
