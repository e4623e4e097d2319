"""What `gpu_check` measures with: pictures, a network that PyTorch makes itself, and decoding."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.packages import simulated_package
from models.package import pack

SIDE_PX = 512
_SEED = 20190530
#: About 40 G multiply-adds for a picture: a GPU takes milliseconds, a CPU core seconds.
_NETWORK = """
import sys, torch
width = int(sys.argv[2])
torch.manual_seed(1)
layers, channels = [], 3
for step in range(12):
    out = width * (1 + step // 4)
    layers += [torch.nn.Conv2d(channels, out, 3, 2 if step % 4 == 3 else 1, 1), torch.nn.ReLU()]
    channels = out
layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(channels, 10)]
net = torch.nn.Sequential(*layers).eval()
torch.jit.trace(net, torch.zeros(1, 3, 512, 512)).save(sys.argv[1])
"""


def pictures(folder: Path, count: int = 8) -> list[Path]:
    """Full-HD JPEGs with the detail of a photograph, made anew."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(_SEED)
    made = []
    for number in range(count):
        coarse = random.integers(0, 256, (68, 120, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (1920, 1080), interpolation=cv2.INTER_CUBIC)
        path = folder / f"picture-{number}.jpg"
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        made.append(path)
    return made


def has_torch() -> bool:
    """PyTorch is asked in a process of its own: it is large, and this one must not open CUDA."""
    command = [sys.executable, "-c", "import torch"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def package(work: Path, on_gpu: bool) -> tuple[Path, dict[str, str]]:
    """A package and the variables that its workers need; without PyTorch one that only waits."""
    if not has_torch():
        return simulated_package(work, 5.0, 0), {}
    folder = work / "network"
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _NETWORK, str(folder / "net.pt"), "64" if on_gpu else "8"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "labels.txt").write_text("\n".join(f"class{i}" for i in range(10)) + "\n")
    out = work / "network.tar.gz"
    pack(folder, manifest(), out)
    return out, {"FANFOLD_MODEL_SHA256": hashlib.sha256(out.read_bytes()).hexdigest()}


def manifest() -> dict[str, Any]:
    return {
        "v": 1,
        "name": "gpu-check",
        "version": "1.0.0",
        "runtime": "pytorch",
        "task": "classification",
        "labels": "labels.txt",
        "model": "net.pt",
        "input": {"name": "data", "shape": [1, 3, SIDE_PX, SIDE_PX], "resize": "stretch"},
        "output": {"softmax": True, "top": 1},
        "footprint": {"memory_kb": 2_000_000, "gpu_memory_mb": 1500},
    }


def transform_rate(images: list[Path], seconds: float) -> float:
    """Pictures per second that one core decodes and resizes, as a worker does it."""
    from lambdas.imaging.transform import Transform
    from lambdas.model.spec import Input

    spec = Input(
        name="data",
        shape=(1, 3, SIDE_PX, SIDE_PX),
        layout="NCHW",
        colour="rgb",
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        resize="stretch",
        resize_to=SIDE_PX,
        interpolation="bilinear",
    )
    transform, tensor = Transform(spec, "fast", None), np.zeros((3, SIDE_PX, SIDE_PX), np.float32)
    data = [image.read_bytes() for image in images]
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        transform(data[done % len(data)], tensor)
        done += 1
    return round(done / (time.perf_counter() - start), 1)


_ON_GPU = """
import sys, time, torch
from torchvision.io import decode_jpeg, read_file
data = [read_file(name) for name in sys.argv[2:]]
resize = lambda each: torch.nn.functional.interpolate(each[None].float(), (512, 512))
for each in decode_jpeg(data, device="cuda"): resize(each)
torch.cuda.synchronize()
done, start = 0, time.perf_counter()
while time.perf_counter() - start < float(sys.argv[1]):
    for each in decode_jpeg(data, device="cuda"): resize(each)
    done += len(data)
torch.cuda.synchronize()
print(done / (time.perf_counter() - start))
"""


def gpu_decode_rate(images: list[Path], seconds: float) -> float | str:
    """The same on the GPU by torchvision's nvJPEG; why not, where that is not here."""
    command = [sys.executable, "-c", _ON_GPU, str(seconds), *map(str, images)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        return "not measured: " + (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return round(float(done.stdout), 1)
