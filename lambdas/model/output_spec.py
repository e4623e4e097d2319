"""`output` of model.json: what the network's outputs mean. Declared, never guessed.

Pure and standard library only. The layouts are those of docs/spec/model-package.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lambdas.model.errors import ModelError
from lambdas.model.fields import MANIFEST, Fields, is_number
from lambdas.model.tasks.ssd_spec import DetectionRule, RuleError, detection_rule

TASKS = (
    "classification", "ssd_detection", "detection",
    "instance_segmentation", "semantic_segmentation", "anomaly",
)  # fmt: skip
#: What other tools call tasks that nothing here can do yet.
NOT_DONE = ("pose", "obb", "keypoints", "depth", "segment-anything", "ocr", "embedding")

BOXES = ("xyxy", "yxyx", "cxcywh", "xywh")
UNITS = ("pixels", "fraction")
ACTIVATIONS = ("none", "sigmoid", "softmax")
COLUMNS = ("image", "class", "score", "x0", "y0", "x1", "y1", "cx", "cy", "w", "h", "mask", "skip")
MAX_BOXES = 1000

_BOX_KEYS = ("units", "iou", "max_boxes", "class_base", "agnostic")


class Layout(NamedTuple):
    """What a layout's declaration may say (`keys`), must name (`roles`), and whether it
    leaves non-maximum suppression to be done."""

    keys: tuple[str, ...]
    roles: tuple[str, ...] = ()
    nms: bool = False


#: Layouts of boxes → what they need.
LAYOUTS = {
    "ssd": Layout(()),
    "rows": Layout(("columns", "boxes", "activation", *_BOX_KEYS)),
    "yolov5": Layout(("boxes", "score", *_BOX_KEYS), nms=True),
    "yolov8": Layout(("boxes", *_BOX_KEYS), nms=True),
    "yolox": Layout(("boxes", "strides", *_BOX_KEYS), nms=True),
    "boxes_scores": Layout(
        ("boxes", "scores", "box", "activation", "background", *_BOX_KEYS), ("boxes", "scores")
    ),
    "boxes_labels_scores": Layout(
        ("boxes", "scores", "labels", "count", "box", *_BOX_KEYS), ("boxes", "labels", "scores")
    ),
}
_BY_TASK = {
    "detection": tuple(LAYOUTS),
    "ssd_detection": ("ssd",),
    "instance_segmentation": ("yolov8", "rows"),
    "semantic_segmentation": ("logits", "logits_last", "probability", "classes"),
    "anomaly": ("anomaly",),
    "classification": ("scores",),
}
_OTHER_KEYS = {
    "classification": ("softmax", "activation", "top"),
    "ssd_detection": ("detection", "softmax", "top"),
    "detection": ("detection",),
    "instance_segmentation": ("prototypes",),
    "semantic_segmentation": ("map", "masks", "activation"),
    "anomaly": ("score", "map", "normalise", "pixel_threshold"),
}


@dataclass(frozen=True)
class Output:
    """How outputs are read. `roles`: role → the output's name, or its number from 0."""

    layout: str
    softmax: bool | None = None
    activation: str = "none"
    top: int = 5
    roles: dict[str, str | int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    box: str = "xyxy"
    units: str = "pixels"
    background: str = "none"
    class_base: int = 0
    score: str = "product"
    strides: tuple[int, ...] = (8, 16, 32)
    iou: float | None = None
    agnostic: bool = False
    max_boxes: int = 300
    masks: bool = True
    pixel_threshold: float | None = None
    #: Anomalib's formula outside the network: (threshold, min, max) of raw values.
    normalise: dict[str, tuple[float, float, float]] = field(default_factory=dict)


def read_output(document: Any, task: str) -> tuple[Output, DetectionRule | None]:
    """Raises `ModelError` with the first thing that is wrong."""
    allowed = _BY_TASK[task]
    layout = allowed[0]
    if task in ("detection", "instance_segmentation", "semantic_segmentation"):
        named = document.get("layout") if isinstance(document, dict) else None
        if named is None:
            raise ModelError(
                f"{MANIFEST}: task {task} needs output.layout, one of {', '.join(allowed)}; "
                "`fanfold model new` reads it from the network or asks"
            )
        layout = Fields({"layout": named}, "output", ("layout",)).choice("layout", allowed)
    known = ("layout", *_OTHER_KEYS[task], *LAYOUTS.get(layout, Layout(())).keys)
    fields = Fields(document, "output", known)
    rule = _rule(fields.raw("detection"))
    if task in ("classification", "ssd_detection"):
        return _classes(fields, layout), rule
    if task == "anomaly":
        return _anomaly(fields), None
    if task == "semantic_segmentation":
        return _semantic(fields, layout), None
    return _boxes(fields, layout, task), rule


def _rule(document: Any) -> DetectionRule | None:
    if document is None:
        return None
    try:
        return detection_rule(document)
    except RuleError as error:
        raise ModelError(f"{MANIFEST}: {error}") from None


def _classes(fields: Fields, layout: str) -> Output:
    softmax = fields.boolean("softmax", None)
    activation = "none"
    if "activation" in fields:
        if softmax is not None:
            raise fields.fault("activation", "it stands for output.softmax: give one of them")
        activation = fields.choice("activation", ACTIVATIONS)
        softmax = activation == "softmax"
    top = fields.integer("top", 1, 1000, 5)
    return Output(layout, softmax=softmax, activation=activation, top=top)


def _boxes(fields: Fields, layout: str, task: str) -> Output:
    kind = LAYOUTS[layout]
    roles = _roles(fields, ("boxes", "scores", "labels", "count", "prototypes"))
    lacking = [role for role in kind.roles if role not in roles]
    if lacking:
        raise ModelError(
            f"{MANIFEST}: output.layout {layout} needs output.{lacking[0]}: the name of that "
            "output, or its number from 0"
        )
    columns = _columns(fields) if layout == "rows" else ()
    mask_columns = "mask" in columns
    if mask_columns != (task == "instance_segmentation" and layout == "rows"):
        raise ModelError(
            f"{MANIFEST}: output.columns with 'mask' and task instance_segmentation belong together"
        )
    return Output(
        layout,
        activation=fields.choice("activation", ACTIVATIONS, "none"),
        roles=roles,
        columns=columns,
        box=fields.choice("box", BOXES, "xyxy"),
        units=fields.choice("units", UNITS, "pixels"),
        background=fields.choice("background", ("none", "first", "last"), "none"),
        class_base=fields.integer("class_base", 0, 1, 0),
        score=fields.choice("score", ("product", "objectness", "class"), "product"),
        strides=_strides(fields),
        iou=fields.number("iou", 0.45, 0.0, 1.0) if kind.nms or "iou" in fields else None,
        agnostic=fields.boolean("agnostic", False) is True,
        max_boxes=fields.integer("max_boxes", 1, MAX_BOXES, 300),
    )


def _columns(fields: Fields) -> tuple[str, ...]:
    value = fields.raw("columns")
    use = f"use a list of {', '.join(COLUMNS)}, in the order of the network's columns"
    if not isinstance(value, list) or not value or any(c not in COLUMNS for c in value):
        raise fields.fault("columns", use)
    corners = all(c in value for c in ("x0", "y0", "x1", "y1"))
    centre = all(c in value for c in ("cx", "cy", "w", "h"))
    single = [c for c in COLUMNS if c not in ("mask", "skip")]
    if any(value.count(c) > 1 for c in single):
        raise fields.fault("columns", "a column can be named once")
    if "score" not in value or "class" not in value or corners == centre:
        raise fields.fault("columns", "use class, score and either x0 y0 x1 y1 or cx cy w h")
    return tuple(value)


def _strides(fields: Fields) -> tuple[int, ...]:
    value = fields.raw("strides", [8, 16, 32])
    if not (isinstance(value, list) and value and all(type(n) is int and n > 0 for n in value)):
        raise fields.fault("strides", "use the strides of the grids, [8, 16, 32] for most")
    return tuple(value)


def _roles(fields: Fields, names: tuple[str, ...]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for name in names:
        value = fields.raw(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value in ("", -1):
            raise fields.fault(name, "use the output's name, or its number from 0")
        found[name] = value
    return found


def _semantic(fields: Fields, layout: str) -> Output:
    return Output(
        layout,
        roles=_roles(fields, ("map",)),
        masks=fields.boolean("masks", True) is True,
        activation=fields.choice("activation", ACTIVATIONS, "none"),
    )


def _anomaly(fields: Fields) -> Output:
    roles = _roles(fields, ("score", "map"))
    if not roles:
        raise ModelError(
            f"{MANIFEST}: task anomaly needs output.score or output.map: the name of that output, "
            "or its number from 0"
        )
    limits = {}
    for name, value in fields.mapping("normalise", {}).items():
        if name not in ("score", "map"):
            raise fields.fault("normalise", "use score and map")
        each = Fields(value, f"output.normalise.{name}", ("threshold", "min", "max"))
        three = tuple(each.raw(key) for key in ("threshold", "min", "max"))
        if not all(is_number(n) for n in three) or three[1] >= three[2]:
            raise fields.fault("normalise", f"{name} needs threshold, min and max, min below max")
        limits[name] = (float(three[0]), float(three[1]), float(three[2]))
    pixel = fields.number("pixel_threshold", 0.5) if "pixel_threshold" in fields else None
    return Output("anomaly", roles=roles, pixel_threshold=pixel, normalise=limits)
