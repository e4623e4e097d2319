"""From a package's `runtime` to its implementation, imported only when it is wanted."""

from __future__ import annotations

import importlib

from lambdas.inference.model_package import Package
from lambdas.inference.runtimes.base import Runtime
from lambdas.inference.runtimes.detecting import DetectingRuntime

_MODULES = {
    "mxnet": ("lambdas.inference.runtimes.mxnet_runtime", "MxnetRuntime"),
    "onnxruntime": ("lambdas.inference.runtimes.onnx_runtime", "OnnxRuntime"),
    "openvino": ("lambdas.inference.runtimes.openvino_runtime", "OpenvinoRuntime"),
    "simulated": ("lambdas.inference.runtimes.simulated", "SimulatedRuntime"),
    "noop": ("lambdas.inference.runtimes.simulated", "NoopRuntime"),
}


def load_runtime(package: Package, gpu_id: int) -> Runtime:
    """Load the network on GPU `gpu_id`, or on the CPU where it is negative.

    Raises `ModelError` when the runtime is not installed, does not see the GPU or
    refuses the model.
    """
    module, name = _MODULES[package.spec.runtime]
    runtime: Runtime = getattr(importlib.import_module(module), name)(package, gpu_id)
    if package.spec.detection is not None:
        return DetectingRuntime(runtime, package.spec.detection)
    return runtime
