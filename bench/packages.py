"""Model packages that compute nothing: the ceiling, and accelerators that only wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.package import pack


def folder_package(folder: Path, out: Path) -> Path:
    """An unpacked model package (model.json and its files) as an archive at `out`."""
    import json

    pack(folder, json.loads((folder / "model.json").read_text(encoding="utf-8")), out)
    return out


def noop_package(work: Path) -> Path:
    """A network that answers at once without looking at pixels."""
    return _pack(work, "noop", {"runtime": "noop"}, transform_ms=0.1, inference_ms=0.1)


def simulated_package(work: Path, wait_ms: float, gpus: int) -> Path:
    """An accelerator of `wait_ms` per image; `gpus` 0: every worker is one of its own."""
    name = f"simulated-{gpus}x{wait_ms:g}ms"
    runtime = {"runtime": "simulated", "simulated": {"wait_ms": wait_ms, "gpus": gpus}}
    return _pack(work, name, runtime, transform_ms=8.0, inference_ms=wait_ms)


def _pack(
    work: Path, name: str, runtime: dict[str, Any], transform_ms: float, inference_ms: float
) -> Path:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.txt").write_text("\n".join(f"class{i}" for i in range(10)) + "\n")
    model = {
        "v": 1,
        "name": name.replace(".", "-"),
        "version": "1.0.0",
        "task": "classification",
        "labels": "labels.txt",
        "input": {
            "name": "data",
            "shape": [1, 3, 512, 512],
            "layout": "NCHW",
            "colour": "rgb",
            "resize": "stretch",
            "interpolation": "bilinear",
        },
        "output": {"softmax": False, "top": 1},
        "threshold": 0.0,
        "footprint": {
            "memory_kb": 100000,
            "ms": {"transform": transform_ms, "inference": inference_ms},
        },
        **runtime,
    }
    out = work / f"{name}.tar.gz"
    pack(folder, model, out)
    return out
