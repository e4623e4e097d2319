"""EfficientNet-Lite0 as an MXNet symbol, and the names that its weights have in PyTorch.

Architecture: M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling" (2019), in the
Lite variant: no squeeze-and-excitation, ReLU6 for swish. The weights come from a
TensorFlow training, hence "SAME" padding, which puts the odd pixel at the far side.
"""

from __future__ import annotations

from typing import NamedTuple

import mxnet as mx
import numpy as np

BATCH_NORM_EPSILON = 1e-3
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
CLASSES = 1000


class Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def build_symbol() -> mx.sym.Symbol:
    """Network from `data` (N×3×H×W, H and W multiples of 32) to logits (N×1000)."""
    net = _convolution(mx.sym.Variable("data"), "_conv_stem", STEM_CHANNELS, 3, stride=2)
    net = _relu6(_batch_norm(net, "_bn0"))
    channels, index = STEM_CHANNELS, 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            net = _block(net, f"_blocks.{index}.", stage, stride, channels)
            channels, index = stage.channels, index + 1
    net = _relu6(_batch_norm(_convolution(net, "_conv_head", HEAD_CHANNELS, 1), "_bn1"))
    net = mx.sym.Pooling(net, global_pool=True, pool_type="avg", kernel=(1, 1), name="pool")
    return mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=CLASSES, name="_fc")


def convert(state: dict[str, np.ndarray]) -> dict[str, mx.nd.NDArray]:
    """PyTorch's state dict → MXNet's parameter names (`arg:`, `aux:`). Raises `KeyError`."""
    symbol = build_symbol()
    saved = {}
    for name in symbol.list_arguments():
        if name != "data":
            source = name.replace("_gamma", ".weight").replace("_beta", ".bias")
            saved["arg:" + name] = mx.nd.array(state[_source(source)])
    for name in symbol.list_auxiliary_states():
        source = name.replace("_moving_mean", ".running_mean").replace(
            "_moving_var", ".running_var"
        )
        saved["aux:" + name] = mx.nd.array(state[source])
    return saved


def _source(name: str) -> str:
    for part in ("_weight", "_bias"):
        if name.endswith(part):
            return name[: -len(part)] + "." + part[1:]
    return name


def _block(
    net: mx.sym.Symbol, prefix: str, stage: Stage, stride: int, channels: int
) -> mx.sym.Symbol:
    """An inverted residual: expand 1×1, depthwise k×k, project 1×1."""
    inner, entry = channels * stage.expand, net
    if stage.expand != 1:
        net = _convolution(net, prefix + "_expand_conv", inner, 1)
        net = _relu6(_batch_norm(net, prefix + "_bn0"))
    net = _convolution(
        net, prefix + "_depthwise_conv", inner, stage.kernel, stride=stride, groups=inner
    )
    net = _relu6(_batch_norm(net, prefix + "_bn1"))
    net = _convolution(net, prefix + "_project_conv", stage.channels, 1)
    net = _batch_norm(net, prefix + "_bn2")
    return net + entry if stride == 1 and channels == stage.channels else net


def _convolution(  # noqa: PLR0913 - a layer's own
    net: mx.sym.Symbol, name: str, channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> mx.sym.Symbol:
    pad = (kernel - 1) // 2
    if stride == 2:
        # "SAME" of an even size pads k−2 in all, the larger half at the far side.
        near, far = (kernel - 2) // 2, (kernel - 1) // 2
        net = mx.sym.pad(net, mode="constant", pad_width=(0, 0, 0, 0, near, far, near, far))
        pad = 0
    return mx.sym.Convolution(
        net,
        num_filter=channels,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pad=(pad, pad),
        num_group=groups,
        no_bias=True,
        name=name,
    )


def _batch_norm(net: mx.sym.Symbol, name: str) -> mx.sym.Symbol:
    return mx.sym.BatchNorm(
        net, eps=BATCH_NORM_EPSILON, fix_gamma=False, use_global_stats=True, name=name
    )


def _relu6(net: mx.sym.Symbol) -> mx.sym.Symbol:
    return mx.sym.clip(net, 0, 6)
