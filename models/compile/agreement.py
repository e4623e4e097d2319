"""How far two versions of a network say the same about the same images.

Classification: the share of images whose best class is the same (top-1). Detection: of
all boxes of both, the share that has a counterpart, one of the same class that overlaps
by half (2 × matched ÷ all, the F1 of one against the other).
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

from lambdas.model.errors import ModelError

#: Intersection over union from which two boxes are the same object, as in PASCAL VOC.
SAME_BOX = 0.5
#: `output` of a result, or one of its boxes.
Output = Mapping[str, Any]


class Agreement(NamedTuple):
    """`value` 0…1, or None: nothing to judge by. `counted`: images (top1), boxes (boxes)."""

    measure: str
    value: float | None
    counted: int
    images: int
    note: str

    def document(self) -> dict[str, Any]:
        return dict(self._asdict())


def compare(task: str, first: Sequence[Output], second: Sequence[Output]) -> Agreement:
    """Of `output` of results, one per image, of the original and of the compiled network.

    Raises `ModelError` for a task whose agreement cannot be told.
    """
    if any("boxes" in output for output in first):
        return _boxes([o["boxes"] for o in first], [o["boxes"] for o in second])
    if task != "classification":
        raise ModelError(f"task {task}: only classifiers and detectors can be compiled")
    same = sum(a["top"][0]["index"] == b["top"][0]["index"] for a, b in zip(first, second))
    note = f"{same} of {len(first)} images have the same best class"
    return Agreement("top1", same / len(first), len(first), len(first), note)


def _boxes(first: Sequence[list[Output]], second: Sequence[list[Output]]) -> Agreement:
    total = sum(map(len, first)) + sum(map(len, second))
    pairs = sum(matched(a, b) for a, b in zip(first, second))
    found = sum(map(len, first))
    note = f"{pairs} of the original's {found} boxes found again, in {total - found}"
    value = 2 * pairs / total if found else None
    return Agreement("boxes", value, found, len(first), note)


def matched(first: list[Output], second: list[Output]) -> int:
    """Pairs of boxes of the same class that overlap by `SAME_BOX`; each box is in one at most.

    The best score chooses first, as detections are matched to a ground truth.
    """
    free = list(second)
    pairs = 0
    for box in sorted(first, key=lambda entry: -entry["score"]):
        rivals = [(overlap(box["box"], b["box"]), i) for i, b in enumerate(free)
                  if b["index"] == box["index"]]  # fmt: skip
        best, index = max(rivals, default=(0.0, -1))
        if best >= SAME_BOX:
            free.pop(index)
            pairs += 1
    return pairs


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(0.0, width) * max(0.0, height)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    union = sum(areas) - common
    return float(common / union) if union > 0 else 0.0
