"""The article's network as a model package with reproducible random parameters.

The article's trained parameters are not public. Time does not depend on their values,
with two exceptions that are taken care of: no denormals (He-scaled weights), and
the class bias is set so that background wins nearly everywhere, as in a trained
detector, so non-maximum suppression sees few boxes.

Runs under the device interpreter (MXNet):
    python -m bench.ssd_package --symbol deploy_model_algo_1-symbol.json --out DIR
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

SEED = 20190530
INPUT = (1, 3, 512, 512)
BACKGROUND_BIAS = 8.0
#: Variance of pixels; and the heads' weights so small that scores and offsets are of the
#: order of 1 at the end of all the random layers, as a trained network's are.
PIXEL_VARIANCE = 64.0**2
HEAD_SCALE = 3e-3
#: Background and two kinds of object: `reshape0` of the symbol is (0, -1, 3).
CLASSES = 3
#: ImageNet means, the pre-processing of SageMaker's built-in SSD (0–255 RGB).
MEAN = (123.68, 116.779, 103.939)


def parameters(symbol: mx.sym.Symbol) -> dict[str, mx.nd.NDArray]:
    """Values for every argument and auxiliary state of `symbol`, the same at each call."""
    import mxnet as mx
    import numpy as np

    random = np.random.RandomState(SEED)
    shapes, _, aux_shapes = symbol.infer_shape(data=INPUT)
    named = list(zip(symbol.list_arguments(), shapes))
    named += [(name, shape) for name, shape in zip(symbol.list_auxiliary_states(), aux_shapes)]
    values = {}
    aux = set(symbol.list_auxiliary_states())
    for name, shape in named:
        if name in {"data", "label"}:
            continue
        prefix = "aux:" if name in aux else "arg:"
        values[prefix + name] = mx.nd.array(_value(name, shape, random))
    return values


def _value(name: str, shape: tuple[int, ...], random: np.random.RandomState) -> np.ndarray:
    import numpy as np

    if name == "bn_data_moving_var":
        return np.full(shape, PIXEL_VARIANCE, np.float32)
    if name.endswith(("_gamma", "_var")):
        return np.ones(shape, np.float32)
    if name.endswith("_weight"):
        fan_in = max(1, int(np.prod(shape[1:])))
        scale = HEAD_SCALE if name.endswith("_pred_conv_weight") else 1.0
        return random.normal(0, scale * math.sqrt(2.0 / fan_in), shape).astype(np.float32)
    if "scale" in name:
        return np.full(shape, 20.0, np.float32)
    value = np.zeros(shape, np.float32)
    if name.endswith("cls_pred_conv_bias"):
        value[::CLASSES] = BACKGROUND_BIAS  # of each anchor's scores the background's comes first
    return value


def build(symbol_path: Path, folder: Path) -> Path:
    """Writes symbol, params, labels and model.json below `folder`; returns model.json's path."""
    import mxnet as mx

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(symbol_path), str(folder / "ssd-symbol.json"))
    symbol = mx.sym.load(str(folder / "ssd-symbol.json"))
    mx.nd.save(str(folder / "ssd-0000.params"), parameters(symbol))
    (folder / "labels.txt").write_text("first\nsecond\n")
    names = ("ssd-symbol.json", "ssd-0000.params", "labels.txt")
    model = {
        "v": 1,
        "name": "ssd-resnet50-512-random",
        "version": "1.0.0",
        "runtime": "mxnet",
        "task": "ssd_detection",
        "files": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names},
        "symbol": names[0],
        "params": names[1],
        "labels": names[2],
        "input": {
            "name": "data",
            "shape": list(INPUT),
            "layout": "NCHW",
            "colour": "rgb",
            "mean": list(MEAN),
            "scale": [1.0, 1.0, 1.0],
            "resize": "stretch",
            "interpolation": "bilinear",
        },
        "output": {},
        "threshold": 0.2,
        "footprint": {
            "memory_kb": 750000,
            "gpu_memory_mb": 1100,
            # One thread of the machine in bench/REPORT.md.
            "ms": {"transform": 8, "inference": 320},
        },
    }
    path = folder / "model.json"
    path.write_text(json.dumps(model, indent=1))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbol", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(build(options.symbol, options.out))


if __name__ == "__main__":
    main()
