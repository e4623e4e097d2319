"""A small SSD of our own: a real MXNet symbol with random weights that finds boxes.

Built like Amazon SageMaker's (pixels normalised inside, two scales, channel
softmax, MultiBox operators), at 64×64.
"""

import json
import math

import cv2
import mxnet as mx
import numpy as np

from contract.digests import sha256_of
from models.photos import PHOTOS

SIDE_PX = 64
CLASSES = 3
SIZES = ((0.2, 0.3), (0.5, 0.6))
RATIOS = (1, 2, 0.5)
PER_CELL = len(SIZES[0]) + len(RATIOS) - 1
#: Over the background's bias and the heads' scale, so that some boxes win and most do not.
BACKGROUND_BIAS = 3.0


def symbol(**detection):
    """The network, to its detections; `detection` changes the last operator's parameters."""
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), use_global_stats=True, name="bn_data")
    for number, channels in enumerate((8, 16, 32), 1):
        net = mx.sym.Convolution(
            net, num_filter=channels, kernel=(3, 3), stride=(2, 2), pad=(1, 1), name=f"c{number}"
        )
        net = mx.sym.BatchNorm(net, fix_gamma=False, use_global_stats=True, name=f"bn{number}")
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{number}")
    first = mx.sym.L2Normalization(net, mode="channel", name="norm") * 10
    net = mx.sym.Convolution(
        net, num_filter=32, kernel=(3, 3), stride=(2, 2), pad=(1, 1), name="c4"
    )
    second = mx.sym.Activation(net, act_type="relu", name="relu4")
    heads = [_head(layer, n) for n, layer in enumerate((first, second))]
    scores = mx.sym.concat(*[h[0] for h in heads], dim=1)
    scores = mx.sym.transpose(mx.sym.reshape(scores, (0, -1, CLASSES)), axes=(0, 2, 1))
    return mx.sym.contrib.MultiBoxDetection(
        mx.sym.SoftmaxActivation(scores, mode="channel", name="cls_prob"),
        mx.sym.concat(*[h[1] for h in heads], dim=1, name="loc"),
        mx.sym.reshape(mx.sym.concat(*[h[2] for h in heads], dim=1), (0, -1, 4)),
        name="detection",
        **{"nms_threshold": 0.45, "nms_topk": 100, "force_suppress": True, **detection},
    )


def _head(layer, number):
    found = []
    for kind, channels in (("cls", CLASSES), ("loc", 4)):
        head = mx.sym.Convolution(
            layer, num_filter=PER_CELL * channels, kernel=(3, 3), pad=(1, 1),
            name=f"head{number}_{kind}",
        )  # fmt: skip
        found.append(mx.sym.Flatten(mx.sym.transpose(head, axes=(0, 2, 3, 1))))
    found.append(
        mx.sym.Flatten(
            mx.sym.contrib.MultiBoxPrior(layer, sizes=SIZES[number], ratios=RATIOS, clip=False)
        )
    )
    return found


def parameters(net):
    """Reproducible values for every parameter, `arg:` and `aux:`."""
    random = np.random.RandomState(20261125)
    shapes, _, aux = net.infer_shape(data=(1, 3, SIDE_PX, SIDE_PX))
    named = list(zip(net.list_arguments(), shapes)) + list(zip(net.list_auxiliary_states(), aux))
    auxiliary = set(net.list_auxiliary_states())
    return {
        ("aux:" if name in auxiliary else "arg:") + name: mx.nd.array(_value(name, shape, random))
        for name, shape in named
        if name != "data"
    }


def _value(name, shape, random):
    if name.endswith("_weight"):
        scale = math.sqrt(2.0 / np.prod(shape[1:]))
        return random.normal(0, scale, shape)
    if name.startswith("bn_data_moving"):
        return np.full(shape, 127.0 if name.endswith("mean") else 64.0**2)
    if name.endswith("cls_bias"):
        return np.tile([BACKGROUND_BIAS, 0, 0], PER_CELL)
    return np.ones(shape) if name.endswith(("_gamma", "_var")) else np.zeros(shape)


def write_ssd(folder, batch=1, **detection):
    """An unpacked package of the network below `folder`; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    net = symbol(**detection)
    net.save(str(folder / "ssd-symbol.json"))
    mx.nd.save(str(folder / "ssd-0000.params"), parameters(net))
    (folder / "labels.txt").write_text("bolt\nnut\n")
    names = ("ssd-symbol.json", "ssd-0000.params", "labels.txt")
    model = {
        "v": 1,
        "name": "small-ssd",
        "version": "1.0.0",
        "runtime": "mxnet",
        "task": "ssd_detection",
        "files": {name: sha256_of(str(folder / name)) for name in names},
        "symbol": names[0],
        "params": names[1],
        "labels": names[2],
        "input": {"shape": [batch, 3, SIDE_PX, SIDE_PX]},
        "threshold": 0.2,
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder


def write_photos(folder, photo, count=12):
    """`count` different real pictures below `folder`, from `photo(name)` (H×W×3 BGR)."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [p.name for p in PHOTOS]
    for number in range(count):
        image = photo(names[number % len(names)])
        image = image[number:, : image.shape[1] - 2 * number]
        cv2.imwrite(str(folder / f"{number:02d}.jpg"), image)
    return folder
