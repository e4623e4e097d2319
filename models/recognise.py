"""Which family a network is of: by what its file says; else a question, never a guess.

The procedure of docs/spec/model-package.md, "Recognising". Pure.
"""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple, Sequence

from lambdas.model.errors import ModelError
from lambdas.model.onnx_file import Port
from lambdas.model.tasks.anchors import anchor_based, anchor_free
from models.facts import Facts
from models.families import FAMILIES, of_task

MASKS = 32
Shape = Sequence[Any]


class Found(NamedTuple):
    """`why`: the fact that decided, for people."""

    family: str
    why: str
    labels: tuple[str, ...] = ()


class Question(NamedTuple):
    """Nothing in the file decides; `candidates` are families that fit its shapes."""

    candidates: tuple[str, ...]
    shapes: str


class Side(NamedTuple):
    height_px: int
    width_px: int


def recognise(facts: Facts, side: Side | None, classes: int | None) -> Found | Question:
    """`side`: of the input, where it is known; `classes`: how many labels the user gave.

    Raises `ModelError` where the network is of a kind that cannot be used.
    """
    _refuse_foreign(facts)
    for rule in (_by_inputs, _by_metadata, _by_names, _by_types):
        found = rule(facts)
        if found is not None:
            return found
    found = _by_shape(facts, side, classes)
    return found or Question(tuple(_candidates(facts, side)), shapes(facts))


def shapes(facts: Facts) -> str:
    """`output0 [1, 84, 8400], …`."""
    return ", ".join(
        f"{port.name} {port.dtype} [{', '.join(str(s) if s else '?' for s in port.shape)}]"
        for port in facts.outputs
    )


def labels_of(metadata: dict[str, Any]) -> tuple[str, ...]:
    """`names` of Ultralytics and YOLOv5: a Python literal in text. Raises `ModelError`."""
    text = metadata.get("names")
    if text is None:  # OpenVINO's: words with spaces between them
        return tuple(str(metadata.get("labels", "")).split())
    try:
        names = ast.literal_eval(str(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ModelError(f"the metadata's names are no list: {text!r:.60}") from None
    if isinstance(names, dict):
        # JSON has no other keys than words.
        names = {int(k) if str(k).isdecimal() else k: name for k, name in names.items()}
        if set(names) != set(range(len(names))):
            raise ModelError("the metadata's names do not count from 0 without a gap")
        names = [names[index] for index in range(len(names))]
    return tuple(str(name) for name in names)


def size_of(metadata: dict[str, Any]) -> Side | None:
    """`imgsz` of Ultralytics: "[h, w]"."""
    numbers = [int(n) for n in re.findall(r"\d+", str(metadata.get("imgsz", "")))]
    if len(numbers) == 1:
        return Side(numbers[0], numbers[0])
    return Side(numbers[0], numbers[1]) if len(numbers) == 2 else None


def _refuse_foreign(facts: Facts) -> None:
    tensorrt = next((op for op in facts.operators if op.endswith("_TRT")), None)
    if tensorrt:
        raise ModelError(
            f"the network uses {tensorrt}, an operator of TensorRT that no other runtime has: "
            "export it without it (for YOLO: without NMS, or with nms for ONNX Runtime)"
        )


def _by_inputs(facts: Facts) -> Found | None:
    names = {port.name for port in facts.inputs}
    if names & {"im_shape", "scale_factor"}:
        return Found("paddle", "its inputs are PaddleDetection's (scale_factor)")
    if "orig_target_sizes" in names:
        return Found("rtdetr", "its input orig_target_sizes is RT-DETR's")
    return None


def _by_metadata(facts: Facts) -> Found | None:
    meta = facts.metadata
    if "_contrib_MultiBoxDetection" in set(facts.makers.values()):
        return Found("ssd-mxnet", "its output is MultiBoxDetection's")
    if "names" not in meta or not {"stride", "task"} & set(meta):
        return None
    labels = labels_of(meta)
    task = str(meta.get("task", ""))
    if not task:
        return Found("yolov5", "its metadata has names and stride as YOLOv5's repository writes",
                     labels)  # fmt: skip
    shape = facts.outputs[0].shape if facts.outputs else ()
    family = _ultralytics(task, meta, shape, len(labels))
    return Found(family, f"its metadata is Ultralytics' (task {task})", labels)


def _ultralytics(task: str, meta: dict[str, Any], shape: Shape, classes: int) -> str:
    if task in ("pose", "obb", "depth"):
        raise ModelError(f"the network's task is {task}, which is not done here: write a hook")
    if task == "classify":
        return "ultralytics-cls"
    if task == "semantic":
        return "semantic-classes"
    if task == "segment":
        return "yolo-end2end-seg" if _rows_inside(meta, shape, classes, MASKS) else "yolov8-seg"
    if task != "detect":
        raise ModelError(f"the network's task is {task!r}, which is not known here")
    head, words = str(meta.get("head", "")), str(meta.get("description", "")).lower()
    if head == "RTDETRDecoder" or "rtdetr" in words or "rt-detr" in words:
        return _ultralytics_detr(meta, shape, classes)
    return "yolo-end2end" if _rows_inside(meta, shape, classes, 0) else "yolov8"


def _rows_inside(meta: dict[str, Any], shape: Shape, classes: int, extra: int) -> bool:
    """Whether suppression is in the network, so that it gives rows. `extra`: columns of masks.

    Exports from before 8.4 do not say it of v10; their output's shape does. What is said
    and what is there must not contradict each other. Raises `ModelError`.
    """
    said = str(meta.get("end2end", "")) == "True" or bool(
        re.search(r"'nms': True", str(meta.get("args", "")))
    )
    numbers = [side if isinstance(side, int) and side > 0 else None for side in shape]
    if len(numbers) != 3 or numbers[1] is None or numbers[2] is None:
        return said
    raw, rows = numbers[1] == 4 + classes + extra, numbers[2] == 6 + extra
    if raw == rows:  # neither, which the network's trial will tell; or both
        return said
    silent = "end2end" not in meta
    if rows != said and not (rows and silent):
        raise ModelError(
            f"its metadata says {'rows of boxes' if said else 'no suppression inside'} (end2end, "
            f"nms) and its output is {list(shape)} with {classes} classes: export it again"
        )
    return rows


def _ultralytics_detr(meta: dict[str, Any], shape: Shape, classes: int) -> str:
    """Six columns from 8.4.50 on, before them four and a score for each class."""
    columns = shape[-1] if shape else None
    if columns == 4 + classes and columns != 6:
        return "rtdetr-ultralytics-raw"
    numbers = [int(n) for n in re.findall(r"\d+", str(meta.get("version", "")))[:3]]
    old = columns == 4 + classes and bool(numbers) and numbers < [8, 4, 50]
    return "rtdetr-ultralytics-raw" if old else "rtdetr-ultralytics"


def _by_names(facts: Facts) -> Found | Question | None:
    names = {port.name: port for port in facts.outputs}
    if {"logits", "pred_boxes"} <= set(names):
        return Question(("detr-hf", "rtdetr-hf"), shapes(facts))
    if {"dets", "labels"} <= set(names):
        last = names["dets"].shape[-1:] or (None,)
        kinds = {4: "rfdetr", 5: "mmdeploy"}
        if last[0] in kinds:
            return Found(kinds[last[0]], f"its outputs are dets with {last[0]} columns and labels")
    if {"detection_boxes", "detection_classes", "detection_scores"} <= set(names):
        return Found("tf2-detection", "its outputs are TensorFlow's detection_boxes …")
    if {"pred_score", "anomaly_map"} & set(names):
        return Found("anomalib", "its outputs are Anomalib's (pred_score, anomaly_map)")
    return None


def _by_types(facts: Facts) -> None:
    integers = [port for port in facts.outputs if port.dtype == "int64" and len(port.shape) == 1]
    if len(facts.outputs) == 3 and len(integers) == 1 and len(facts.inputs[0].shape) == 3:
        raise ModelError(
            "this is a detector of torchvision, whose input has no batch: wrap it so that the "
            "input is (1, 3, H, W), or write a hook"
        )


def _by_shape(facts: Facts, side: Side | None, classes: int | None) -> Found | None:
    """One output of three axes whose numbers leave one reading, the labels being known."""
    if len(facts.outputs) != 1:
        return None
    shape = facts.outputs[0].shape
    if len(shape) == 2 and facts.makers.get(facts.outputs[0].name) == "Softmax":
        return None  # a classifier; how it wants its pictures is still to be asked
    if len(shape) != 3 or side is None or classes is None:
        return None
    _, rows, columns = shape
    if rows == 4 + classes and columns in anchor_free(*side):
        return Found("yolov8", f"its output is (4+{classes}, {columns})")
    if rows in anchor_based(*side) and columns == 5 + classes:
        return Found("yolov5", f"its output is ({rows}, 5+{classes})")
    return None


def _candidates(facts: Facts, side: Side | None) -> list[str]:
    outputs = facts.outputs
    if len(outputs) == 1 and outputs[0].shape:
        return _for_one(outputs[0], side)
    if len(outputs) == 2:
        return _for_two(outputs)
    if all(port.shape for port in outputs):
        return []  # families of three and more are told by their names, which came before
    return [name for name, family in FAMILIES.items() if family.task != "classification"]


def _for_one(port: Port, side: Side | None) -> list[str]:
    shape = port.shape
    if len(shape) == 3:
        return _for_three_axes(shape, side)
    if len(shape) == 2 and shape[-1] == 7:
        return ["yolov7-end2end", "yolo-nas-flat"]
    if len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1)):
        return of_task("classification")
    if len(shape) == 4:
        binary = ["semantic-binary", "anomaly-map"]
        return binary if shape[1] == 1 else ["semantic", "semantic-last"]
    return list(FAMILIES)


def _for_three_axes(shape: tuple[Any, ...], side: Side | None) -> list[str]:
    free = anchor_free(*side) if side else ()
    based = anchor_based(*side) if side else ()
    if shape[-1] in free:
        return ["yolov8"]
    found: list[str] = []
    unknown = side is None or not isinstance(shape[1], int)
    if unknown or shape[1] in free:
        found = ["yolox", "yolox-decoded", "yolov5"]
    elif shape[1] in based:
        found = ["yolov5"]
    if shape[-1] == 6:  # one class with its objectness, or rows
        return [*found, "yolo-end2end", "rtdetr-ultralytics", "ssd-mxnet"]
    return [*of_task("detection"), "semantic-classes"] if unknown or not found else found


def _for_two(outputs: tuple[Port, ...]) -> list[str]:
    ranks = sorted(len(port.shape) for port in outputs)
    if ranks == [2, 2]:
        return of_task("classification")  # with its features, or a second head
    lasts = [port.shape[-1] for port in outputs if port.shape]
    if ranks == [3, 4] and any(port.shape[1:2] == (MASKS,) for port in outputs):
        return ["yolov8-seg", "yolo-end2end-seg"]
    if ranks == [3, 3] and 4 in lasts:
        return ["yolo-nas", "rfdetr", "detr-hf", "rtdetr-hf"]
    return [name for name, family in FAMILIES.items() if family.task != "classification"]
