"""Declared layouts of boxes → candidates in pixels of the input.

Each reader takes the outputs for one image, no batch axis. Sources of the layouts:
docs/spec/model-package.md.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from lambdas.model.spec import ModelSpec
from lambdas.model.tasks.anchors import anchor_based, anchor_free
from lambdas.model.tasks.fit import UnfitError, classes_known, finite, scores_in_range
from lambdas.model.tasks.roles import Roles

_LOGITS = "if these are logits, set output.activation (sigmoid or softmax); else output.layout"


class Candidates(NamedTuple):
    """N boxes: corners (N×4, pixels of the input), scores, classes, mask coefficients."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: np.ndarray | None = None

    def at(self, chosen: np.ndarray) -> Candidates:
        masks = None if self.masks is None else self.masks[chosen]
        return Candidates(self.boxes[chosen], self.scores[chosen], self.classes[chosen], masks)


class Boxes:
    """Reads the layout that `spec.output` declares. Reentrant."""

    def __init__(self, spec: ModelSpec, labels: Sequence[str], roles: Roles) -> None:
        self._spec, self._labels, self._roles = spec, labels, roles
        self._extra = 32 if spec.task == "instance_segmentation" else 0
        self._read = getattr(self, f"_{spec.output.layout}")
        side = (spec.input.height_px, spec.input.width_px)
        self._anchors = {*anchor_free(*side), *anchor_based(*side)}
        self._grids = _grids(spec) if spec.output.layout == "yolox" else None

    def __call__(self, outputs: Sequence[np.ndarray]) -> Candidates:
        """Candidates from the threshold on. Raises `UnfitError`."""
        return self._read(outputs)

    def _ssd(self, outputs: Sequence[np.ndarray]) -> Candidates:
        rows = outputs[0]
        if rows.ndim != 2 or rows.shape[1] != 6:
            raise UnfitError(f"ssd_detection needs an N×6 output, the network gave {rows.shape}")
        rows = finite(rows, "boxes")
        rows = rows[rows[:, 0] >= 0]
        size = np.array([self._spec.input.width_px, self._spec.input.height_px] * 2, np.float32)
        return self._above(rows[:, 2:6] * size, rows[:, 1], rows[:, 0], as_columns(rows))

    def _rows(self, outputs: Sequence[np.ndarray]) -> Candidates:
        output = self._spec.output
        rows = self._roles.of(outputs, "boxes", 0)
        columns = output.columns
        width = len(columns) + (self._extra - 1 if self._extra else 0)
        if rows.ndim != 2 or rows.shape[1] != width:
            raise UnfitError(
                f"output.columns names {width} columns, the network gave rows of {rows.shape}"
            )
        finite(rows, "boxes")
        at = {name: _position(columns, name, self._extra) for name in columns}
        score = _activated(rows[:, at["score"]], output.activation)
        # Exporters fill up with rows of zeros or of class −1.
        used = (rows[:, at["class"]] >= 0) & (score > 0)
        corners = ("x0", "y0", "x1", "y1") if "x0" in at else ("cx", "cy", "w", "h")
        boxes = rows[:, [at[name] for name in corners]]
        boxes = self._pixels(boxes, "xyxy" if "x0" in at else "cxcywh")
        masks = rows[:, at["mask"] : at["mask"] + self._extra] if self._extra else None
        return self._above(
            boxes[used], score[used], rows[used, at["class"]], as_columns(rows),
            None if masks is None else masks[used],
        )  # fmt: skip

    def _yolov8(self, outputs: Sequence[np.ndarray]) -> Candidates:
        values = self._roles.of(outputs, "boxes", 0)
        self._columns(values, 0, 4 + self._extra, "(4+classes, N)")
        finite(values, "boxes")
        stop = len(values) - self._extra
        classes, scores = _best(values[4:stop].T)
        masks = values[stop:].T if self._extra else None
        return self._above(self._pixels(values[:4].T, "cxcywh"), scores, classes, _LOGITS, masks)

    def _yolov5(self, outputs: Sequence[np.ndarray]) -> Candidates:
        rows = self._roles.of(outputs, "boxes", 0)
        self._columns(rows, 1, 5, "(N, 5+classes)")
        finite(rows, "boxes")
        return self._objects(rows, self._pixels(rows[:, :4], "cxcywh"))

    def _yolox(self, outputs: Sequence[np.ndarray]) -> Candidates:
        rows = self._roles.of(outputs, "boxes", 0)
        self._columns(rows, 1, 5, "(N, 5+classes)")
        grid, stride = self._grids  # type: ignore[misc]
        if len(rows) != len(grid):
            raise UnfitError(
                f"output.strides {list(self._spec.output.strides)} make {len(grid)} cells, the "
                f"network gave {len(rows)} rows"
            )
        finite(rows, "boxes")
        with np.errstate(over="ignore"):
            sides = np.exp(rows[:, 2:4]) * stride
        centre = (rows[:, :2] + grid) * stride
        finite(sides, "boxes (decoded as YOLOX's; yolov5 takes boxes that are decoded already)")
        return self._objects(rows, _corners(np.concatenate([centre, sides], 1), "cxcywh"))

    def _boxes_scores(self, outputs: Sequence[np.ndarray]) -> Candidates:
        output = self._spec.output
        boxes = _squeezed(self._roles.of(outputs, "boxes"), 2, "boxes (N, 4)")
        if self._roles.index("boxes") == self._roles.index("scores"):
            boxes, scores = boxes[:, :4], boxes[:, 4:]
        else:
            scores = _squeezed(self._roles.of(outputs, "scores"), 2, "scores (N, classes)")
        finite(boxes, "boxes")
        scores = _activated(finite(scores, "scores"), output.activation)
        if boxes.shape[1] != 4 or len(boxes) != len(scores):
            raise UnfitError(f"boxes {boxes.shape} and scores {scores.shape} do not fit together")
        if output.background == "last":
            scores = scores[:, :-1]
        elif output.background == "first":
            scores = scores[:, 1:]
        self._named(scores.shape[1])
        classes, best = _best(scores)
        return self._above(self._pixels(boxes, output.box), best, classes, _LOGITS)

    def _boxes_labels_scores(self, outputs: Sequence[np.ndarray]) -> Candidates:
        output = self._spec.output
        boxes = _squeezed(self._roles.of(outputs, "boxes"), 2, "boxes (N, 4)")
        labels = self._roles.of(outputs, "labels").reshape(-1)
        same = self._roles.index("boxes") == self._roles.index("scores")
        # mmdeploy's boxes carry their score in a fifth column.
        scores = boxes[:, 4] if same else self._roles.of(outputs, "scores").reshape(-1)
        if boxes.shape[1] != 4 + same or not len(boxes) == len(labels) == len(scores):
            raise UnfitError(
                f"boxes {boxes.shape}, labels {labels.shape} and scores {scores.shape} do not fit "
                "together"
            )
        if "count" in self._roles:
            count = int(np.ravel(self._roles.of(outputs, "count"))[0])
            boxes, labels, scores = boxes[:count], labels[:count], scores[:count]
        finite(boxes, "boxes")
        finite(scores, "scores")
        used = (scores > 0) & (labels >= 0)
        boxes = self._pixels(boxes[:, :4], output.box)
        return self._above(boxes[used], scores[used], labels[used], _LOGITS)

    def _objects(self, rows: np.ndarray, boxes: np.ndarray) -> Candidates:
        """Of rows with objectness in column 4 and classes behind it."""
        classes, scores = _best(rows[:, 5:])
        kind = self._spec.output.score
        if kind == "objectness":
            scores = rows[:, 4]
        elif kind == "product":
            scores = scores * rows[:, 4]
        return self._above(boxes, scores, classes, _LOGITS)

    def _above(
        self,
        boxes: np.ndarray,
        scores: np.ndarray,
        classes: np.ndarray,
        remedy: str,
        masks: np.ndarray | None = None,
    ) -> Candidates:
        scores = scores_in_range(scores, remedy)
        kept = np.flatnonzero(scores >= self._spec.threshold)
        base = self._spec.output.class_base
        if len(kept) and classes[kept].min() < base:
            raise UnfitError(
                f"the network gave class {classes[kept].min():.4g} where output.class_base is "
                f"{base}: its classes count from 0"
            )
        known = classes_known(classes[kept] - base, self._labels)
        return Candidates(boxes[kept], scores[kept], known, None if masks is None else masks[kept])

    def _columns(self, values: np.ndarray, axis: int, fixed: int, shape: str) -> None:
        layout = self._spec.output.layout
        if values.ndim != 2 or values.shape[axis] <= fixed:
            raise UnfitError(
                f"output.layout {layout} needs {shape}, the network gave {values.shape}"
            )
        if values.shape[axis] in self._anchors and values.shape[1 - axis] not in self._anchors:
            raise UnfitError(
                f"output.layout {layout} needs {shape}, the network gave {values.shape}: rows and "
                "columns the other way round"
            )
        self._named(values.shape[axis] - fixed)

    def _named(self, count: int) -> None:
        if self._labels and count != len(self._labels):
            raise UnfitError(
                f"the network gives {count} classes and the package names {len(self._labels)}: "
                "labels and outputs have to be as many"
            )

    def _pixels(self, boxes: np.ndarray, form: str) -> np.ndarray:
        spec = self._spec
        corners = _corners(boxes.astype(np.float32, copy=False), form)
        if spec.output.units == "fraction":
            corners = corners * np.array(
                [spec.input.width_px, spec.input.height_px] * 2, np.float32
            )
        return corners


def _corners(boxes: np.ndarray, form: str) -> np.ndarray:
    if form == "xyxy":
        return boxes
    if form == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    if form == "xywh":
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    half = boxes[:, 2:] / np.float32(2)
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _best(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best class of each of N×C scores, and its score."""
    best = scores.argmax(axis=1)
    return best, scores[np.arange(len(scores)), best]


def _activated(values: np.ndarray, kind: str) -> np.ndarray:
    if kind == "sigmoid":
        with np.errstate(over="ignore"):
            return np.float32(1) / (np.float32(1) + np.exp(-values.astype(np.float32)))
    if kind == "softmax":
        raised = np.exp(values - values.max(axis=-1, keepdims=True))
        return raised / raised.sum(axis=-1, keepdims=True)
    return values


def _squeezed(values: np.ndarray, rank: int, what: str) -> np.ndarray:
    if values.ndim == rank + 1 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != rank:
        raise UnfitError(f"{what} are needed, the network gave {values.shape}")
    return values


def _position(columns: Sequence[str], name: str, extra: int) -> int:
    """Of a column, where `mask` takes `extra` columns."""
    at = list(columns).index(name)
    mask_before = extra and "mask" in columns and list(columns).index("mask") < at
    return at + extra - 1 if mask_before else at


def _grids(spec: ModelSpec) -> tuple[np.ndarray, np.ndarray]:
    cells, strides = [], []
    for stride in spec.output.strides:
        rows, columns = spec.input.height_px // stride, spec.input.width_px // stride
        y, x = np.mgrid[0:rows, 0:columns]
        cells.append(np.stack([x.ravel(), y.ravel()], 1).astype(np.float32))
        strides.append(np.full((rows * columns, 1), stride, np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def as_columns(rows: np.ndarray) -> str:
    """What the columns of some rows look like, for people who declare them."""
    if rows.ndim != 2 or not len(rows):
        return "declare output.layout rows with output.columns"
    words = []
    for values in rows.T[:8]:
        if (values >= 0).all() and (values <= 1).all() and (np.diff(values) <= 0).all():
            words.append("score?")
        elif (np.rint(values) == values).all() and values.max() < 1000:
            words.append("class?")
        else:
            words.append("0…1" if np.abs(values).max() <= 1.5 else "pixels?")
    return f"declare output.layout rows with output.columns; they look like {', '.join(words)}"
