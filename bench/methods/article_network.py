"""The article's network and transform, as every control runs them. Device interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Sequence

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np


class Batch(NamedTuple):
    """What an MXNet Module takes: one tensor per input."""

    data: list[mx.nd.NDArray]


class Network:
    """An MXNet Module bound for one image."""

    def __init__(self, folder: str, context: mx.Context) -> None:
        import mxnet as mx

        spec = json.loads((Path(folder) / "model.json").read_text())
        symbol = mx.sym.load(str(Path(folder) / spec["symbol"]))
        saved = mx.nd.load(str(Path(folder) / spec["params"]))
        args = {k[4:]: v for k, v in saved.items() if k.startswith("arg:")}
        aux = {k[4:]: v for k, v in saved.items() if k.startswith("aux:")}
        self.shape: tuple[int, ...] = tuple(spec["input"]["shape"])
        self.module = mx.mod.Module(symbol, label_names=None, context=context)
        self.module.bind(for_training=False, data_shapes=[("data", self.shape)])
        self.module.set_params(args, aux, allow_missing=True)

    def infer(self, tensor: mx.nd.NDArray) -> np.ndarray:
        self.module.forward(Batch([tensor]), is_train=False)
        output: np.ndarray = self.module.get_outputs()[0].asnumpy()
        return output


def transform(path: str, shape: Sequence[int]) -> mx.nd.NDArray:
    """Encoded file → 1×3×H×W float32 on the CPU, as the article does it."""
    import cv2
    import mxnet as mx
    import numpy as np

    pixels = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    pixels = cv2.resize(pixels, (shape[3], shape[2]))
    pixels = np.swapaxes(np.swapaxes(pixels, 0, 2), 1, 2)[np.newaxis, :]
    return mx.nd.array(pixels)
