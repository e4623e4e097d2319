"""`output.detection` of model.json: what an SSD network leaves to be done after it.

Pure and standard library only, like model_spec. Names and defaults are those of MXNet's
`_contrib_MultiBoxPrior` and `_contrib_MultiBoxDetection`, whose place this takes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

MAX_SIDE = 4096
MAX_ANCHORS = 1_000_000


class RuleError(ValueError):
    """What is wrong with `output.detection`: subject, value and what is allowed."""


class PriorLayer(NamedTuple):
    """Prior boxes of one feature map; `steps` and `offsets` are (y, x), steps ≤ 0: one cell."""

    feature_map: tuple[int, int]
    sizes: tuple[float, ...]
    ratios: tuple[float, ...]
    steps: tuple[float, float] = (-1.0, -1.0)
    offsets: tuple[float, float] = (0.5, 0.5)
    clip: bool = False

    @property
    def boxes(self) -> int:
        """How many prior boxes it has."""
        height, width = self.feature_map
        return height * width * (len(self.sizes) + len(self.ratios) - 1)


class DetectionRule(NamedTuple):
    """What turns class scores and box offsets into detections.

    `softmax`: the scores are logits over the classes. `nms_topk` < 1: no limit.
    """

    anchors: tuple[PriorLayer, ...]
    variances: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2)
    threshold: float = 0.01
    nms_threshold: float = 0.5
    nms_topk: int = -1
    force_suppress: bool = False
    clip: bool = True
    softmax: bool = False


def detection_document(rule: DetectionRule) -> dict[str, Any]:
    """`output.detection` that `detection_rule` reads back as `rule`."""
    return dict(rule._asdict(), anchors=[dict(layer._asdict()) for layer in rule.anchors])


def detection_rule(document: Any) -> DetectionRule:
    """Read `output.detection`. Raises `RuleError` with the first thing that is wrong."""
    values = _known(document, DetectionRule, "output.detection")
    anchors = values.get("anchors")
    if not isinstance(anchors, list) or not anchors:
        raise RuleError("output.detection.anchors is no list of feature maps with prior boxes")
    layers = tuple(_layer(entry, number) for number, entry in enumerate(anchors))
    if sum(layer.boxes for layer in layers) > MAX_ANCHORS:
        raise RuleError(f"output.detection.anchors makes more than {MAX_ANCHORS} boxes")
    fields: dict[str, Any] = {"anchors": layers}
    for name, value in values.items():
        where = f"output.detection.{name}"
        if name == "variances":
            fields[name] = _numbers(value, where, 4)
        elif name in {"force_suppress", "clip", "softmax"}:
            fields[name] = _boolean(value, where)
        elif name == "nms_topk":
            fields[name] = _integer(value, where)
        elif name != "anchors":
            fields[name] = _numbers([value], where, 1)[0]
    return DetectionRule(**fields)


def _layer(document: Any, number: int) -> PriorLayer:
    where = f"output.detection.anchors[{number}]"
    values = _known(document, PriorLayer, where)
    side = values.get("feature_map")
    if not isinstance(side, (list, tuple)) or len(side) != 2:
        raise RuleError(f"{where}.feature_map is {side!r:.80}; use [height, width] in cells")
    height, width = (_integer(value, f"{where}.feature_map") for value in side)
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise RuleError(f"{where}.feature_map is {side!r:.80}; use 1 to {MAX_SIDE}")
    fields: dict[str, Any] = {"feature_map": (height, width)}
    for name in ("sizes", "ratios"):
        fields[name] = _numbers(values.get(name), f"{where}.{name}", None)
        if min(fields[name]) <= 0:
            raise RuleError(f"{where}.{name} is {values[name]!r:.80}; use numbers above 0")
    for name in ("steps", "offsets"):
        if name in values:
            fields[name] = _numbers(values[name], f"{where}.{name}", 2)
    if "clip" in values:
        fields["clip"] = _boolean(values["clip"], f"{where}.clip")
    return PriorLayer(**fields)


def _known(document: Any, kind: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise RuleError(f"{where} is {document!r:.80}, use an object")
    unknown = sorted(set(document) - set(kind._fields))
    if unknown:
        raise RuleError(f"{where} has {unknown[0]!r}; known are {', '.join(kind._fields)}")
    return document


def _numbers(value: Any, where: str, count: int | None) -> tuple[float, ...]:
    fits = isinstance(value, (list, tuple)) and len(value) in (
        range(1, 65) if count is None else (count,)
    )
    if not fits or not all(_is_number(n) for n in value):
        how_many = "one to 64 numbers" if count is None else f"{count} number(s)"
        raise RuleError(f"{where} is {value!r:.80}; use {how_many}")
    return tuple(float(n) for n in value)


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _integer(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleError(f"{where} is {value!r:.80}; use whole numbers")
    return value


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise RuleError(f"{where} is {value!r:.80}; use true or false")
    return value
