"""Apache MXNet 1.9.1: symbol and parameters bound once, for one fixed shape."""

from __future__ import annotations

import os
from typing import Any, Mapping

import numpy as np

from lambdas.model.errors import ModelError
from lambdas.model.package import Package
from lambdas.model.runtimes.base import Runtime, missing


class MxnetRuntime(Runtime):
    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        super().__init__(package, gpu_id, ordinal)
        # Else it prints a line about its optimiser to stderr at every load.
        os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
        try:
            import mxnet as mx
        except (ImportError, OSError):
            raise missing("mxnet", "mxnet") from None
        context = _context(mx, gpu_id, self.ordinal)
        spec = package.spec
        try:
            symbol = mx.sym.load(package.path("symbol"))
            saved = mx.nd.load(package.path("params"))
            args = {k[4:]: v for k, v in saved.items() if k.startswith("arg:")}
            aux = {k[4:]: v for k, v in saved.items() if k.startswith("aux:")}
            _not_training(symbol, package)
            _complete(symbol, spec.input.name, args, aux)
            bound = symbol.simple_bind(
                context, grad_req="null", **{spec.input.name: spec.input.shape}
            )
            bound.copy_params_from(args, aux, allow_extra_params=True)
        except mx.base.MXNetError as error:
            first = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"MXNet refuses {spec.name} {spec.version} on {self.device}: {first[:300]}"
            ) from None
        self._bound = bound
        self.output_names = symbol.list_outputs()
        self._data = bound.arg_dict[spec.input.name]

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        self._data[:] = batch
        return [output.asnumpy() for output in self._bound.forward(is_train=False)]


def _context(mx, gpu_id: int, ordinal: int):  # type: ignore[no-untyped-def]
    if gpu_id < 0:
        return mx.cpu()
    count = mx.context.num_gpus()
    if ordinal >= count:
        raise ModelError(
            f"GPU_ID={gpu_id}: MXNet sees {count} GPUs. Check the driver, the device files of the "
            f"profile, and that the MXNet build has CUDA (mxnet-cu112); GPU_ID=-1 uses the CPU"
        )
    return mx.gpu(ordinal)


def _complete(symbol: Any, data: str, args: Mapping[str, Any], aux: Mapping[str, Any]) -> None:
    # MXNet itself would leave what is missing at zero and answer with confidence.
    absent = [n for n in symbol.list_arguments() if n not in args and n not in (data, "label")]
    absent += [n for n in symbol.list_auxiliary_states() if n not in aux]
    if data not in symbol.list_arguments():
        raise ModelError(f"the symbol has no input {data!r}: see input.name in model.json")
    if absent:
        raise ModelError(f"the parameters lack {len(absent)} of the symbol's: {absent[:3]} …")


def _not_training(symbol, package: Package) -> None:  # type: ignore[no-untyped-def]
    """A detector as it was trained has losses for outputs and wants the labels as an input."""
    outputs = symbol.list_outputs()
    if len(outputs) < 2 or "label" not in symbol.list_arguments():
        return
    spec = package.spec
    raise ModelError(
        f"{spec.name} {spec.version}: {spec.roles['symbol']} is the training network (outputs "
        f"{', '.join(outputs)}; it wants the input 'label'): convert it to its deploy form "
        "(MXNet's example/ssd/deploy.py), whose one output is N×6"
    )
