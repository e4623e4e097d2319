"""MXNet → ONNX, and ONNX → int8."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Iterator, Sequence

import mxnet as mx
import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from lambdas.model.spec import ModelError

#: The newest operator set that MXNet 1.9.1 writes, and a file format older than any reader.
OPSET = 13
IR_VERSION = 8
#: What is computed in int8. Batch normalisation that no convolution takes in stays exact,
#: and so do moves of numbers (transpose, concatenate).
QUANTIZED = (
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Relu",
    "Clip",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
)


def export(network: mx.sym.Symbol, saved: dict[str, Any], shape: Sequence[int], out: Path) -> None:
    """Write `network` with the parameters `saved` (`arg:`, `aux:`). Raises `ModelError`."""
    values = {name[4:]: value for name, value in saved.items()}
    try:
        mx.onnx.export_model(network, values, [tuple(shape)], [np.float32], str(out))
    except AttributeError as error:  # "No conversion function registered for op type …"
        raise ModelError(
            f"the network cannot become ONNX: {error}. "
            "Without this operator, or with --to mxnet --int8, it can be compiled"
        ) from None
    model = onnx.load(str(out))
    # It names the newest operator set that onnx knows, whatever it wrote.
    model.opset_import[0].version, model.ir_version = OPSET, IR_VERSION
    # It lists all parameters as inputs: a runtime must then expect other values at every
    # run, and folds nothing (a fifth of the time).
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    order = network.list_outputs()
    outputs = sorted(model.graph.output, key=lambda entry: order.index(f"{entry.name}_output"))
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


def quantize(
    source: Path, tensors: Iterator[np.ndarray], out: Path, *, full_range: bool = False
) -> None:
    """Write the ONNX network `source` in int8 (QDQ), calibrated with `tensors`.

    Activations are unsigned and asymmetric, weights signed and per channel, of seven bits:
    without VNNI the eighth can overflow the 16-bit sums of AVX2. `full_range`: all eight.
    """
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        _fold(source, folded)
        quantize_static(
            str(folded),
            str(out),
            _Reader(_input_name(folded), tensors),
            op_types_to_quantize=list(QUANTIZED),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=not full_range,
        )


def _fold(source: Path, out: Path) -> None:
    """Batch normalisation into convolutions: as it runs is how it must be calibrated."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 3
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _input_name(path: Path) -> str:
    return str(onnx.load(str(path), load_external_data=False).graph.input[0].name)


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, tensors: Iterator[np.ndarray]) -> None:
        self._name, self._tensors = name, tensors

    def get_next(self) -> dict[str, np.ndarray] | None:
        tensor = next(self._tensors, None)
        return None if tensor is None else {self._name: tensor}
