"""Boxes and masks of instance segmentation against Ultralytics' own code, in the layout of its
exports: no network that a package on PyPI ships has this task. `make torch-tests` runs it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT))

torch = pytest.importorskip("torch", reason="needs PyTorch: `make torch-tests`")

from model_kit import spec_of  # noqa: E402
from real_networks import ULTRALYTICS, member, module  # noqa: E402

from lambdas.model.geometry import placement  # noqa: E402
from lambdas.model.tasks.postprocess import Task  # noqa: E402
from models.drawing import pixels  # noqa: E402
from models.families import FAMILIES  # noqa: E402

SIDE, CLASSES = 320, 5
FAMILY = FAMILIES["yolov8-seg"]
LABELS = [f"class {number}" for number in range(CLASSES)]


@pytest.fixture(scope="module")
def ultralytics(tmp_path_factory):
    """Its suppression and its masks, without the rest of it."""
    place = tmp_path_factory.mktemp("ultralytics")
    missing = dict.fromkeys(("batch_probiou", "box_iou"))
    beside = {
        "ultralytics": {},
        "ultralytics__utils": {"NOT_MACOS14": True, "TORCH_VERSION": "2", "LOGGER": None},
        "ultralytics__utils__checks": {"check_version": lambda *_a, **_k: True},
        "ultralytics__utils__torch_utils": {"get_torch_device_backend": None},
        "ultralytics__utils__metrics": missing,
    }
    ops = module(member(ULTRALYTICS, "ultralytics/utils/ops.py", place), "ops", **beside)
    beside["ultralytics__utils__ops"] = vars(ops)
    nms = module(member(ULTRALYTICS, "ultralytics/utils/nms.py", place), "nms", **beside)
    return SimpleNamespace(ops=ops, nms=nms)


def network_outputs(seed):
    """A head's outputs: clusters of boxes around objects, and prototypes that are smooth."""
    random = np.random.RandomState(seed)
    anchors = sum((SIDE // stride) ** 2 for stride in (8, 16, 32))
    head = np.zeros((4 + CLASSES + 32, anchors), np.float32)
    head[4 : 4 + CLASSES] = random.rand(CLASSES, anchors) * 0.2
    for at in range(0, 12 * 40, 40):
        centre, sides = random.rand(2, 1) * SIDE, 30 + random.rand(2, 1) * 120
        near = slice(at, at + 30)
        head[:2, near] = centre + random.randn(2, 30) * 4
        head[2:4, near] = sides + random.randn(2, 30) * 4
        head[4 + random.randint(CLASSES), near] = 0.2 + 0.75 * random.rand(30)
        head[-32:, near] = random.randn(32, 1) + random.randn(32, 30) * 0.1
    coarse = torch.tensor(random.randn(1, 32, 10, 10).astype(np.float32))
    prototypes = torch.nn.functional.interpolate(coarse, (SIDE // 4, SIDE // 4), mode="bicubic")
    return head, prototypes[0].numpy()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [(320, 320), (640, 360), (300, 451)])
def test_boxes_and_masks_are_those_of_ultralytics(ultralytics, seed, size):
    head, prototypes = network_outputs(seed)
    spec = spec_of(FAMILY.task, (1, 3, SIDE, SIDE), threshold=FAMILY.threshold,
                   input=FAMILY.input, output=FAMILY.output)  # fmt: skip
    told = Task(spec, LABELS, ["output0", "output1"])([head, prototypes], size)["boxes"]

    (wanted,) = ultralytics.nms.non_max_suppression(
        torch.tensor(head)[None], FAMILY.threshold, FAMILY.output["iou"], nc=CLASSES
    )
    masks = ultralytics.ops.process_mask(
        torch.tensor(prototypes), wanted[:, 6:], wanted[:, :4], (SIDE, SIDE), upsample=True
    ).numpy()
    corners = ultralytics.ops.scale_boxes((SIDE, SIDE), wanted[:, :4].clone(), size[::-1]).numpy()
    place = placement(spec.input, *size)

    assert len(told) == len(wanted) >= 5
    assert [box["index"] for box in told] == wanted[:, 5].int().tolist()
    for box, row, corner, mask in zip(told, wanted, corners, masks, strict=True):
        assert box["score"] == pytest.approx(float(row[4]), abs=1e-4)
        assert np.multiply(box["box"], size * 2) == pytest.approx(corner, abs=1.0)
        shown = mask[place.top :, place.left :][: place.height_px, : place.width_px] > 0
        assert overlap(pixels(box["mask"]), shown) >= 0.99


def overlap(one, other):
    union = (one | other).sum()
    return (one & other).sum() / union if union else 1.0
