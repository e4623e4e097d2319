"""MXNet → MXNet in int8, by its own quantisation (oneDNN)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Iterator, Sequence

import mxnet as mx
import numpy as np
from mxnet.contrib.quantization import quantize_model_mkldnn

from lambdas.model.spec import Input


def quantize(
    network: mx.sym.Symbol,
    saved: dict[str, Any],
    spec: Input,
    tensors: Iterator[np.ndarray],
    prefix: Path,
) -> None:
    """Write `{prefix}-symbol.json` and `{prefix}-0000.params`, calibrated with `tensors`."""
    arguments = {k[4:]: v for k, v in saved.items() if k.startswith("arg:")}
    auxiliary = {k[4:]: v for k, v in saved.items() if k.startswith("aux:")}
    logger = logging.getLogger("mxnet.quantization")
    logger.setLevel(logging.WARNING)
    symbol, arguments, auxiliary = quantize_model_mkldnn(
        network,
        arguments,
        auxiliary,
        data_names=(spec.name,),
        label_names=None,
        ctx=mx.cpu(),
        calib_mode="naive",
        calib_data=_Batches(spec.name, spec.shape, tensors),
        quantized_dtype="auto",
        quantize_granularity="channel-wise",
        logger=logger,
    )
    symbol.save(f"{prefix}-symbol.json")
    values = {f"arg:{k}": v for k, v in arguments.items()}
    values.update({f"aux:{k}": v for k, v in auxiliary.items()})
    mx.nd.save(f"{prefix}-0000.params", values)


class _Batches(mx.io.DataIter):
    """One pass over the tensors."""

    def __init__(self, name: str, shape: Sequence[int], tensors: Iterator[np.ndarray]) -> None:
        super().__init__(batch_size=shape[0])
        self.provide_data = [mx.io.DataDesc(name, tuple(shape))]
        self.provide_label: list[mx.io.DataDesc] = []
        self._tensors = tensors

    def reset(self) -> None:
        """Nothing to go back to."""

    def next(self) -> mx.io.DataBatch:
        tensor = next(self._tensors, None)
        if tensor is None:
            raise StopIteration
        return mx.io.DataBatch(data=[mx.nd.array(tensor)], label=None, pad=0)
