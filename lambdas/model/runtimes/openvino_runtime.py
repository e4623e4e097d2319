"""OpenVINO, on the CPU or on an Intel GPU."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from contract.messages import Record
from lambdas.model.errors import ModelError
from lambdas.model.package import Package
from lambdas.model.runtimes.base import Inputs, Runtime, missing, thread_count


def import_openvino() -> ModuleType:
    """The package without its telemetry. Raises ImportError where it is not installed.

    On import it tells Google Analytics, in a process that it forks: that says a plant's business
    outside, and hangs where another thread holds a lock, MXNet's or the log's, at the fork. Without
    the package `openvino_telemetry` it uses a stub of its own.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class OpenvinoRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        super().__init__(package, gpu_id, ordinal)
        try:
            ov = import_openvino()
        except ImportError:
            raise missing("openvino", "openvino") from None
        core = ov.Core()
        device = _device(core, gpu_id)
        try:
            model = core.read_model(package.path("model"), package.path("weights"))
            self._inputs = Inputs(package, _inputs(package, model))
            self.output_names = [_name(each, n) for n, each in enumerate(model.outputs)]
            compiled = core.compile_model(model, device, options(gpu_id))
            self._request = compiled.create_infer_request()
            self.identity = _identity(core, device) if gpu_id >= 0 else {}
        except RuntimeError as error:
            raise ModelError(f"OpenVINO refuses {package.spec.name} on {device}: {error}") from None

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        fed = {self._inputs.name: self._inputs.feed(batch), **self._inputs.extra}
        results = self._request.infer(fed, share_inputs=True, share_outputs=True)
        # Copies: the request's own memory is overwritten by the next image.
        return [np.array(value) for value in results.values()]


def options(gpu_id: int) -> dict[str, str]:
    """How a network is compiled on the device and wherever its agreement is judged."""
    chosen = {
        "PERFORMANCE_HINT": "LATENCY",
        # By default it computes in bfloat16 where the CPU can: 2 % off, on some devices only.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if gpu_id < 0:
        chosen["INFERENCE_NUM_THREADS"] = str(thread_count())
        chosen["NUM_STREAMS"] = "1"
        # Every process would pin its threads from core 0 on, and workers share it.
        chosen["ENABLE_CPU_PINNING"] = "NO"
    return chosen


def _device(core, gpu_id: int) -> str:  # type: ignore[no-untyped-def]
    if gpu_id < 0:
        return "CPU"
    found = [name for name in core.available_devices if name.startswith("GPU")]
    # A single GPU is called "GPU" and answers to "GPU.0" as well.
    if gpu_id >= len(found):
        raise ModelError(
            f"GPU_ID={gpu_id}: OpenVINO sees {len(found)} GPUs. It uses Intel's only: check the "
            "driver and the device files of the profile (/dev/dri); GPU_ID=-1 uses the CPU"
        )
    return f"GPU.{gpu_id}"


def _identity(core, device: str) -> Record:  # type: ignore[no-untyped-def]
    """Other GPUs have no NVML: the runtime itself knows which one it is."""
    known = {"uuid": "DEVICE_UUID", "name": "FULL_DEVICE_NAME", "pci": "DEVICE_PCI_INFO"}
    supported = core.get_property(device, "SUPPORTED_PROPERTIES")
    return {
        key: str(core.get_property(device, name))
        for key, name in known.items()
        if name in supported
    }


def _inputs(package: Package, model) -> list[Any]:  # type: ignore[no-untyped-def]
    """Name, shape and element type of each input; one may have several names."""
    wanted = {package.spec.input.name, *(extra.name for extra in package.spec.input.extra)}
    found = []
    for port in model.inputs:
        names = port.get_names()
        name = next((each for each in names if each in wanted), None) or port.get_any_name()
        shape = [n.get_length() if n.is_static else None for n in port.get_partial_shape()]
        found.append((name, shape, str(port.get_element_type().to_dtype())))
    return found


def _name(port, number: int) -> str:  # type: ignore[no-untyped-def]
    names = sorted(port.get_names())
    return names[0] if names else str(number)
