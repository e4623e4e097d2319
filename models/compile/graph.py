"""An MXNet symbol cut before its detections, which no other runtime can compute.

The place is found by operator type, so that any SSD symbol is cut, whatever its names.
"""

from __future__ import annotations

import ast
import json
from typing import Any, NamedTuple, Sequence, TypedDict

import mxnet as mx
import numpy as np

from lambdas.model.spec import ModelError
from lambdas.model.tasks.ssd import prior_boxes
from lambdas.model.tasks.ssd_spec import DetectionRule, PriorLayer

DETECTION = "_contrib_MultiBoxDetection"
PRIOR = "_contrib_MultiBoxPrior"
#: Between the prior boxes and the detection: they move numbers and change none.
_PASSES_ON = {"Concat", "Reshape", "Flatten", "_copy", "reshape", "flatten", "identity"}


class _Attributes(TypedDict, total=False):
    attrs: dict[str, str]


class Node(_Attributes):
    """One operator of a symbol's JSON; an input is a node's index, an output's, and a version."""

    op: str
    name: str
    inputs: list[list[int]]


class Graph(TypedDict):
    nodes: list[Node]
    heads: list[list[int]]


class Cut(NamedTuple):
    """`network` without its last step, and that step (None: the symbol has no detection)."""

    network: mx.sym.Symbol
    rule: DetectionRule | None


def cut(symbol: mx.sym.Symbol, name: str, shape: Sequence[int]) -> Cut:
    """Split `symbol` for input `name` of `shape`. Raises `ModelError`."""
    graph: Graph = json.loads(symbol.tojson())
    nodes = graph["nodes"]
    found = [index for index, node in enumerate(nodes) if node["op"] == DETECTION]
    if not found:
        return Cut(symbol, None)
    if [head[0] for head in graph["heads"]] != found:
        raise ModelError(
            f"the symbol has {len(graph['heads'])} outputs and {len(found)} {DETECTION}; "
            "it must end in one. Is it the training network? deploy.py of MXNet's example/ssd "
            "makes the one for inference"
        )
    detection = nodes[found[0]]
    scores, offsets, anchors = detection["inputs"]
    softmax = _is_softmax(nodes[scores[0]])
    network = _with_heads(graph, [nodes[scores[0]]["inputs"][0] if softmax else scores, offsets])
    sizes = {name: tuple(shape)}
    layers = tuple(_layer(graph, index, sizes) for index in _priors(nodes, anchors[0]))
    _check_anchors(_with_heads(graph, [anchors]), name, shape, layers)
    return Cut(network, _rule(_values(detection), layers, softmax=softmax))


def parameters(network: mx.sym.Symbol, saved: dict[str, Any]) -> dict[str, Any]:
    """Of a `.params` file (`arg:`, `aux:`) what `network` uses, prefixes kept."""
    wanted = {f"arg:{name}" for name in network.list_arguments()}
    wanted |= {f"aux:{name}" for name in network.list_auxiliary_states()}
    return {name: value for name, value in saved.items() if name in wanted}


def _rule(
    values: dict[str, Any], layers: tuple[PriorLayer, ...], *, softmax: bool
) -> DetectionRule:
    if values.pop("background_id", 0) != 0:
        raise ModelError(f"{DETECTION}: background_id is not 0, which this cannot translate")
    known = {key: value for key, value in values.items() if key in DetectionRule._fields}
    return DetectionRule(anchors=layers, softmax=softmax, **known)


def _is_softmax(node: Node) -> bool:
    """Over the classes, which are axis 1, and nothing besides."""
    values = _values(node)
    if node["op"] == "SoftmaxActivation":
        return values.get("mode") == "channel"
    plain = not values.get("temperature") and not values.get("use_length")
    return node["op"] == "softmax" and values.get("axis") == 1 and plain


def _priors(nodes: list[Node], index: int) -> list[int]:
    """Nodes of the prior boxes below node `index`, in the order of their boxes."""
    node = nodes[index]
    if node["op"] == PRIOR:
        return [index]
    if node["op"] not in _PASSES_ON:
        raise ModelError(
            f"the prior boxes pass through {node['op']} ({node['name']}), which this cannot "
            f"translate; it knows {PRIOR} and {', '.join(sorted(_PASSES_ON))}"
        )
    return [found for entry in node["inputs"] for found in _priors(nodes, entry[0])]


def _layer(graph: Graph, index: int, sizes: dict[str, tuple[int, ...]]) -> PriorLayer:
    node = graph["nodes"][index]
    _, (shape,), _ = _with_heads(graph, [node["inputs"][0]]).infer_shape(**sizes)
    values = {k: v for k, v in _values(node).items() if k in PriorLayer._fields}
    for key in ("sizes", "ratios"):
        value = values.get(key, (1.0,))
        values[key] = value if isinstance(value, tuple) else (value,)
    return PriorLayer(feature_map=tuple(shape[2:]), **values)


def _check_anchors(
    symbol: mx.sym.Symbol, name: str, shape: Sequence[int], layers: tuple[PriorLayer, ...]
) -> None:
    """The boxes that the layers make against those that MXNet makes of the whole graph."""
    bound = symbol.simple_bind(mx.cpu(), grad_req="null", **{name: tuple(shape)})
    expected = bound.forward(is_train=False)[0].asnumpy().reshape(-1, 4)
    made = np.concatenate([prior_boxes(layer) for layer in layers])
    if made.shape != expected.shape or np.abs(made - expected).max() > 1e-6:
        raise ModelError(
            f"the symbol's prior boxes are not what its {len(layers)} {PRIOR} make in their "
            "order: something between them and the detection changes them"
        )


def _values(node: Node) -> dict[str, Any]:
    values = {}
    for key, text in (node.get("attrs") or {}).items():
        try:
            values[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[key] = text
    return values


def _with_heads(graph: Graph, heads: list[list[int]]) -> mx.sym.Symbol:
    """The part of a graph that the given entries (node, output) need."""
    full = [[*head, 0][:3] for head in heads]
    symbol = mx.sym.load_json(json.dumps(dict(graph, heads=full)))
    # Written and read once more: only what the heads need is written.
    return mx.sym.load_json(symbol.tojson())
