"""PyTorch: TorchScript, and `.pt2` of `torch.export.save`, on the CPU or on an NVIDIA GPU.

Both can run code of their own when they are loaded (`torch.export.load` falls back to
pickle), so a worker opens them only where the deployment pins the archive's SHA-256.
"""

from __future__ import annotations

import os
import re
import zipfile
from typing import Any

import numpy as np

from contract.model_pin import PIN
from lambdas.model.errors import ModelError
from lambdas.model.package import Package
from lambdas.model.runtimes.base import Inputs, Runtime, thread_count

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class TorchRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        super().__init__(package, gpu_id, ordinal)
        _pinned(package)
        try:
            import torch
        except ImportError:
            raise ModelError(
                "runtime pytorch needs the Python package torch, which is not installed here: "
                "install it on the device (pip install torch), or export the network to ONNX"
            ) from None
        torch.set_num_threads(thread_count())
        self._torch = torch
        self._device = _device(torch, gpu_id, self.ordinal)
        try:
            self._network = _load(torch, package.path("model"), self._device)
        except Exception as error:  # torch's errors share no public base
            first = str(error).strip().splitlines()[:1]
            raise ModelError(f"PyTorch refuses {package.spec.name}: {''.join(first)}") from None
        spec = package.spec.input
        # The file says nothing of element types: model.json does.
        self._inputs = Inputs(package, [(spec.name, spec.shape, spec.dtype or "float32")])
        outputs = self._run(np.zeros(spec.shape, np.float32))
        self.output_names = [str(number) for number in range(len(outputs))]

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return self._run(batch)

    def _run(self, batch: np.ndarray) -> list[np.ndarray]:
        torch = self._torch
        with torch.inference_mode():
            # A copy: the worker's tensor is filled anew while the answer is read.
            given = torch.tensor(self._inputs.feed(batch), device=self._device)
            return [each.cpu().numpy() for each in _flat(torch, self._network(given))]


def _pinned(package: Package) -> None:
    if not _SHA256.match(os.environ.get(PIN, "")):
        raise ModelError(
            f"{package.spec.name}: a PyTorch model can run any code when it is loaded, so it is "
            "opened only from an address that pins its SHA-256: deploy the one that `fanfold "
            f"model publish` prints (…-{{SHA-256}}.tar.gz), which sets {PIN}"
        )


def _load(torch: Any, path: str, device: Any) -> Any:
    with zipfile.ZipFile(path) as archive:
        script = any("/code/" in name for name in archive.namelist())
    if script:
        return torch.jit.load(path, map_location=device).eval()
    return torch.export.load(path).module().to(device)


def _flat(torch: Any, value: Any) -> list[Any]:
    """Tensors of an answer: one, a tuple, or a dictionary in its own order."""
    if isinstance(value, torch.Tensor):
        return [value.detach()]
    parts = value.values() if isinstance(value, dict) else value
    return [tensor for part in parts for tensor in _flat(torch, part)]


def _device(torch: Any, gpu_id: int, ordinal: int) -> Any:
    if gpu_id < 0:
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if ordinal >= count:
        raise ModelError(
            f"GPU_ID={gpu_id}: PyTorch sees {count} GPUs. Check the driver, the device files of "
            "the profile and that this PyTorch has CUDA; GPU_ID=-1 uses the CPU"
        )
    return torch.device(f"cuda:{ordinal}")
