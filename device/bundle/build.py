"""An archive of everything that a device is installed from, the same bytes for the same input.

Its format: docs/spec/bundle.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import device
from contract.digests import sha256_of
from device.bundle.target import Target
from device.bundle.wheels import build_own, download, hash_line, requirements
from infra.where import INSTALLED, PROJECT

FORMAT = 1
_HERE = Path(device.__file__).parent
#: Rooms that installer and launcher run from, before any version is installed.
ON_DEVICE = ("launcher", "install", "versions")
_PARTS = (
    ("fanfold", ("fanfold-",)),
    (
        "model runtime",
        ("onnxruntime-", "openvino", "flatbuffers-", "protobuf-"),
    ),
    ("OpenCV", ("opencv_",)),
    ("NumPy", ("numpy-",)),
    ("AWS SDK", ("boto", "s3transfer-", "jmespath-", "urllib3-", "awscrt-")),
    ("cryptography", ("cryptography-", "cffi-", "pycparser-")),
)


@dataclass(frozen=True)
class Bundle:
    """`parts`: bytes in the archive of each part, largest first."""

    path: Path
    version: str
    size: int
    parts: dict[str, int]


def make_bundle(target: Target, out: Path, work: Path, own_wheel: Path | None = None) -> Bundle:
    """Write the archive into the folder `out`; `work` keeps downloads. Raises WheelsError."""
    wheels = work / f"{target.arch}-{target.python}-{target.runtime}"
    wheels.mkdir(parents=True, exist_ok=True)
    wanted = work / f"{wheels.name}.txt"
    pinned = PROJECT / "constraints" / f"device-{target.runtime}.txt"
    wanted.write_text(requirements(pinned.read_text(encoding="utf-8"), target), encoding="utf-8")
    download(wanted, target, wheels)
    own = own_wheel or build_own(PROJECT, work / "own")
    lines = wanted.read_text(encoding="utf-8").splitlines(keepends=True)
    needed = [wheel for wheel in sorted(wheels.glob("*.whl")) if _pinned_by(wheel, lines)]
    texts = _texts(
        target, "".join(line for line in lines if not line.startswith("pip==")) + hash_line(own)
    )
    content: dict[str, Path | bytes] = {f"wheels/{wheel.name}": wheel for wheel in (*needed, own)}
    content.update({name: text.encode() for name, text in texts.items()})
    for room in ("", *ON_DEVICE):
        for module in sorted((_HERE / room).glob("*.py")):
            content[f"lib/device/{room + '/' if room else ''}{module.name}"] = module
    return _write(target, out, own, content)


def _pinned_by(wheel: Path, lines: list[str]) -> bool:
    """Whether a wheel of the folder is one of today's, not left from an earlier bundle."""
    digest = sha256_of(wheel)
    return any(f"sha256:{digest}" in line for line in lines)


def _texts(target: Target, requirements_txt: str) -> dict[str, str]:
    made = {"requirements.txt": requirements_txt}
    for script in ("install.sh", "uninstall.sh"):
        made[script] = (
            (_HERE / "files" / script).read_text("utf-8").replace("@VERSION@", target.python)
        )
    for script in ("run_install.py", "run_launcher.py", "run_uninstall.py"):
        made[f"lib/{script}"] = (_HERE / "files" / script).read_text("utf-8")
    for unit in ("fanfold@.service", "containers.conf", "functions.conf"):
        made[f"units/{unit}"] = (_HERE / "units" / unit).read_text("utf-8")
    return made


def _write(target: Target, out: Path, own: Path, content: dict[str, Path | bytes]) -> Bundle:
    files = {name: _facts(source) for name, source in sorted(content.items())}
    identity = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    version = f"{own.name.split('-')[1]}-{identity[:10]}"
    parts = _weigh(files)
    facts = {
        "v": FORMAT, "version": version, "arch": target.arch, "python": target.python,
        "runtime": target.runtime, "parts": parts, "files": files,
    }  # fmt: skip
    name = f"fanfold-{version}-{target.arch}-py{target.python}-{target.runtime}"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.tar"
    with tarfile.open(path, "w") as tar:
        _add(tar, f"{name}/bundle.json", (json.dumps(facts, indent=1) + "\n").encode())
        for entry, source in sorted(content.items()):
            data = source if isinstance(source, bytes) else source.read_bytes()
            _add(tar, f"{name}/{entry}", data)
    return Bundle(path, version, path.stat().st_size, parts)


def _facts(source: Path | bytes) -> dict[str, str | int]:
    data = source if isinstance(source, bytes) else source.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def _weigh(files: dict[str, dict[str, str | int]]) -> dict[str, int]:
    weights: Counter[str] = Counter()
    for name, facts in files.items():
        weights[_part_of(name)] += int(facts["size"])
    return dict(weights.most_common())


def _part_of(name: str) -> str:
    if not name.startswith("wheels/"):
        return "launcher, installer, units"
    wheel = name.removeprefix("wheels/")
    return next((part for part, heads in _PARTS if wheel.startswith(heads)), "other libraries")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o755 if name.endswith(".sh") else 0o644
    tar.addfile(entry, io.BytesIO(data))


def needs_wheel() -> bool:
    """Whether Fanfold's own wheel must be given: an installation cannot build itself."""
    return INSTALLED
