"""`python small_lite0.py FOLDER`: the tutorial's two packages around a network of an instant
(device interpreter). Pictures are read and scores are real; a worker starts without MXNet."""

import sys
import tempfile
from pathlib import Path

from onnx import save

sys.path.insert(0, str(Path(__file__).parents[2]))

from make_networks import classifier

from models.build_demo import VERSIONS, manifest
from models.package import pack

LABELS = ("Egyptian cat", "espresso", "tabby")
SIDE_PX, RESIZE_TO = 32, 36
FOOTPRINT = {"memory_kb": 150_000, "ms": {"transform": 1.0, "inference": 1.0}}


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(classifier(len(LABELS)), str(folder / "lite0.onnx"))
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
        for version in VERSIONS:
            model = manifest(version)
            del model["symbol"], model["params"], model["files"]
            model.update(runtime="onnxruntime", model="lite0.onnx", footprint=FOOTPRINT)
            model["input"].update(name="x", shape=[1, 3, SIDE_PX, SIDE_PX], resize_to=RESIZE_TO)
            pack(folder, model, out / f"lite0-{version}.tar.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
