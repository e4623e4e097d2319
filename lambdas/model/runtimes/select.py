"""From a package's `runtime` to its implementation, imported only when it is wanted."""

from __future__ import annotations

import importlib

from lambdas.model.package import Package
from lambdas.model.runtimes.base import Runtime
from lambdas.model.runtimes.detecting import DetectingRuntime

_MODULES = {
    "mxnet": ("lambdas.model.runtimes.mxnet_runtime", "MxnetRuntime"),
    "onnxruntime": ("lambdas.model.runtimes.onnx_runtime", "OnnxRuntime"),
    "openvino": ("lambdas.model.runtimes.openvino_runtime", "OpenvinoRuntime"),
    "pytorch": ("lambdas.model.runtimes.torch_runtime", "TorchRuntime"),
    "simulated": ("lambdas.model.runtimes.simulated", "SimulatedRuntime"),
    "noop": ("lambdas.model.runtimes.simulated", "NoopRuntime"),
}


def load_runtime(package: Package, gpu_id: int, ordinal: int | None = None) -> Runtime:
    """Load the network on GPU `gpu_id`, or on the CPU where it is negative.

    `ordinal`: what this process calls that GPU, where it is not the same number.

    Raises `ModelError` when the runtime is not installed, does not see the GPU or
    refuses the model.
    """
    module, name = _MODULES[package.spec.runtime]
    runtime: Runtime = getattr(importlib.import_module(module), name)(package, gpu_id, ordinal)
    if package.spec.detection is not None:
        return DetectingRuntime(runtime, package.spec.detection)
    return runtime
