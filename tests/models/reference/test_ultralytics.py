"""Networks that Ultralytics builds and exports, answered by Fanfold as Ultralytics answers them.

The weights are random, with their last layers stretched so that some scores are high. Needs
`pip install ultralytics torch onnx onnxruntime` in the interpreter that runs it; else skipped.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT))

torch = pytest.importorskip("torch")
ultralytics = pytest.importorskip("ultralytics")
cv2 = pytest.importorskip("cv2")

from lambdas.model.hooks import Hooks  # noqa: E402
from lambdas.model.package import load_package  # noqa: E402
from lambdas.model.runtimes.select import load_runtime  # noqa: E402
from lambdas.worker.warm_up import answered, prove  # noqa: E402
from models.draft import Wishes, draft, side_of, write  # noqa: E402
from models.drawing import pixels  # noqa: E402
from models.facts import read_facts  # noqa: E402
from models.jsonc import read  # noqa: E402
from models.package import pack  # noqa: E402
from models.recognise import Found, recognise  # noqa: E402

CONFIDENCE = 0.4
#: How many of a network's logits are above 0.
HIGH = 60


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """Shapes on noise, in no size that the network has: letterboxing has to be undone."""
    random = np.random.RandomState(3)
    image = random.randint(0, 90, (417, 613, 3)).astype(np.uint8)
    for _ in range(40):
        at = tuple(int(v) for v in random.randint(0, 400, 2))
        colour = tuple(int(v) for v in random.randint(0, 255, 3))
        cv2.rectangle(image, at, (at[0] + 70, at[1] + 50), colour, -1)
    path = tmp_path_factory.mktemp("picture") / "shapes.png"
    cv2.imwrite(str(path), image)
    return path


def stretched(model, picture):
    """Random heads give 0.01 everywhere: here some dozens of logits on `picture` are above 0."""
    head = model.model.model[-1]
    seen = {}
    normalise(model.model)
    small = cv2.cvtColor(cv2.resize(cv2.imread(str(picture)), (320, 320)), cv2.COLOR_BGR2RGB)
    batch = torch.from_numpy(small).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        for name in ("cv3", "one2one_cv3"):
            lasts = [branch[-1] for branch in getattr(head, name, None) or ()]
            hooks = [
                last.register_forward_hook(lambda layer, _, out: seen.__setitem__(layer, out))
                for last in lasts
            ]
            model.model(batch)
            for hook in hooks:
                hook.remove()
            if not lasts or lasts[0] not in seen:
                continue
            logits = torch.cat([seen[last].flatten() for last in lasts])
            scale, limit = 3 / logits.std(), logits.topk(HIGH).values[-1]
            for last in lasts:
                last.weight.mul_(scale)
                last.bias.sub_(limit).mul_(scale)
        if head.reg_max == 1:  # its distances come as they are: random ones may be negative
            for branch in (*head.cv2, *(getattr(head, "one2one_cv2", None) or ())):
                branch[-1].weight.mul_(0.01)
                branch[-1].bias.fill_(2.0)


def normalise(network):
    """Running means of fresh layers make every feature vanish: take them from noise."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for layer in layers:
        layer.momentum = 1.0
    network.train()
    network(torch.rand(2, 3, 320, 320))
    network.eval()


def exported(folder, picture, name, **options):
    torch.manual_seed(7)
    model = ultralytics.YOLO(name)
    stretched(model, picture)
    path = model.export(format="onnx", imgsz=320, opset=17, simplify=False, **options)
    moved = folder / "network.onnx"
    Path(path).replace(moved)
    return moved


def proved(network, folder):
    """The package as `fanfold model new` and `pack` make it, with the reference's threshold."""
    facts = read_facts(network)
    side = side_of(facts, None)
    found = recognise(facts, side, None)
    assert isinstance(found, Found), found
    write(draft(facts, found, Wishes("net")), folder)
    document = dict(read((folder / "model.json").read_bytes()), threshold=CONFIDENCE)
    made = pack(folder, document, folder / "net.tar.gz")
    (folder / "model.json").write_text(json.dumps(dict(document, files=made.spec.files)))
    package = load_package(str(folder))
    return prove(package, load_runtime(package, -1), Hooks(), "exact")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("yolov8n.yaml", {}), ("yolov5nu.yaml", {}), ("yolo11n.yaml", {}), ("yolo12n.yaml", {}),
        ("yolov10n.yaml", {"nms": False}), ("yolo26n.yaml", {"nms": False}),
        ("yolov8n-seg.yaml", {}),
    ],
)  # fmt: skip
def test_boxes_are_within_a_pixel_and_classes_equal(tmp_path, monkeypatch, picture, name, options):
    monkeypatch.chdir(tmp_path)
    network = exported(tmp_path, picture, name, **options)
    model = proved(network, tmp_path / "package")
    ours = answered(model, str(picture), "exact")
    task = "segment" if "seg" in name else "detect"
    reference = ultralytics.YOLO(str(network), task=task)
    (theirs,) = reference.predict(str(picture), imgsz=320, conf=CONFIDENCE, iou=0.7, verbose=False)
    boxes = theirs.boxes
    assert len(ours["boxes"]) == len(boxes)
    assert 3 < len(boxes) < 300
    pairs = [
        (mine, number)
        for number, (box, score, kind) in enumerate(
            zip(boxes.xyxy, boxes.conf, boxes.cls, strict=True)
        )
        for mine in ours["boxes"]
        if same(mine, ours["size"], box.numpy(), float(score), int(kind))
    ]
    # Scores that are equal may come in another order.
    assert {number for _, number in pairs} == set(range(len(boxes)))
    if task == "segment":
        check_masks(pairs, theirs)


def same(mine, size, corners, score, kind):
    """The same class, all corners within a pixel of the picture, the score within 0.001."""
    off = np.abs(np.multiply(mine["box"], size * 2) - corners).max()
    return mine["index"] == kind and off < 1.0 and abs(mine["score"] - score) < 1e-3


def check_masks(pairs, theirs):
    """Intersection over union; the reference masks cover the whole letterboxed input."""
    compared = 0
    masks = theirs.masks.data.numpy() > 0.5
    for mine, number in pairs:
        wanted = masks[number]
        mask = pixels(mine["mask"])
        top = (wanted.shape[0] - mask.shape[0]) // 2
        seen = wanted[top : top + mask.shape[0], : mask.shape[1]]
        union = (mask | seen).sum()
        if union > 100:
            compared += 1
            assert (mask & seen).sum() / union > 0.95
    assert compared
