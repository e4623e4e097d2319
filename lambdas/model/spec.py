"""What a model package says about itself: `model.json`, read and checked.

Pure and standard library only, so that the tool that packs and the worker that loads
read a package with the same eyes (docs/spec/model-package.md).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Mapping

from lambdas.model.tasks.ssd_spec import DetectionRule, RuleError, detection_rule

VERSION = 1
MANIFEST = "model.json"
#: runtime → the keys of model.json that name its files.
RUNTIME_FILES = {
    "mxnet": ("symbol", "params"),
    "onnxruntime": ("model",),
    "openvino": ("model", "weights"),
    "simulated": (),
    "noop": (),
}
#: Runtimes that compute nothing; every result made with them says so.
SIMULATED = ("simulated", "noop")
TASKS = ("classification", "ssd_detection")
RESIZES = ("stretch", "shorter_side_crop")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area")
MAX_SIDE_PX = 8192

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class ModelError(ValueError):
    """A model that cannot be used; the text names subject, value and remedy."""


@dataclass(frozen=True)
class Input:
    """The tensor that the network wants: `shape` as `layout` says, batch first."""

    name: str
    shape: tuple[int, int, int, int]
    layout: str
    colour: str
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    resize: str
    resize_to: int
    interpolation: str
    #: Fast mode decodes a JPEG to no less than this times the size that is resized to.
    decode_margin: float = 1.0

    @property
    def batch(self) -> int:
        return self.shape[0]

    @property
    def height_px(self) -> int:
        return self.shape[2] if self.layout == "NCHW" else self.shape[1]

    @property
    def width_px(self) -> int:
        return self.shape[3] if self.layout == "NCHW" else self.shape[2]


@dataclass(frozen=True)
class ModelSpec:
    """`model.json`; `sha256` is of its bytes, and thereby pins every file."""

    name: str
    version: str
    runtime: str
    task: str
    files: dict[str, str]
    roles: dict[str, str]
    input: Input
    softmax: bool
    top: int
    threshold: float
    footprint: dict[str, Any]
    #: What comes after the network, where the network itself ends before its detections.
    detection: DetectionRule | None = None
    simulation: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def simulated(self) -> bool:
        return self.runtime in SIMULATED

    @property
    def identity(self) -> dict[str, str]:
        """What every result carries."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


def parse_model(content: bytes) -> ModelSpec:
    """Read `model.json`. Raises `ModelError` with the first thing that is wrong."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{MANIFEST} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ModelError(f"{MANIFEST} is not a JSON object")
    if document.get("v") != VERSION:
        raise ModelError(f"{MANIFEST}: v is {document.get('v')!r}, this version knows {VERSION}")
    runtime = _choice(document, "runtime", tuple(RUNTIME_FILES))
    files = _files(document)
    task = _choice(document, "task", TASKS)
    output = _object(document, "output", {})
    spec = ModelSpec(
        name=_match(document, "name", _NAME),
        version=_match(document, "version", _VERSION),
        runtime=runtime,
        task=task,
        files=files,
        roles=_roles(document, runtime, files),
        input=_input(_object(document, "input")),
        softmax=output.get("softmax") is True,
        top=_integer(output, "top", 1, 1000, 5),
        threshold=_number(document, "threshold", 0.0),
        footprint=_object(document, "footprint", {}),
        detection=_detection(output.get("detection"), task),
        simulation=_object(document, "simulated", {}),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    if task == "ssd_detection" and spec.input.resize != "stretch":
        raise ModelError("ssd_detection needs input.resize 'stretch': boxes are of the whole image")
    return spec


def _detection(document: Any, task: str) -> DetectionRule | None:
    if document is None:
        return None
    if task != "ssd_detection":
        raise ModelError(f"{MANIFEST}: output.detection is for task ssd_detection, not {task}")
    try:
        return detection_rule(document)
    except RuleError as error:
        raise ModelError(f"{MANIFEST}: {error}") from None


def _roles(document: Mapping[str, Any], runtime: str, files: dict[str, str]) -> dict[str, str]:
    roles = {}
    for role in (*RUNTIME_FILES[runtime], "labels"):
        name = document.get(role)
        if name is None and role == "labels":
            continue
        if name not in files:
            raise ModelError(
                f"{MANIFEST}: {role} is {name!r}; runtime {runtime} needs one of `files`"
            )
        roles[role] = name
    return roles


def _files(document: Mapping[str, Any]) -> dict[str, str]:
    files = _object(document, "files", {})
    for name, digest in files.items():
        if not _FILE.match(name) or ".." in name.split("/") or name == MANIFEST:
            raise ModelError(f"{MANIFEST}: file name {name!r:.80} is not a plain relative path")
        if not isinstance(digest, str) or not _SHA256.match(digest):
            raise ModelError(f"{MANIFEST}: {name} has no SHA-256 in hex: {digest!r:.80}")
    return files


def _input(document: Mapping[str, Any]) -> Input:
    layout = _choice(document, "layout", ("NCHW", "NHWC"), "NCHW")
    shape = document.get("shape")
    if not (
        isinstance(shape, list)
        and len(shape) == 4
        and all(isinstance(n, int) and 0 < n <= MAX_SIDE_PX for n in shape)
        and shape[1 if layout == "NCHW" else 3] == 3
    ):
        raise ModelError(f"input.shape is {shape!r:.80}; use four sizes with 3 channels ({layout})")
    built = Input(
        name=str(document.get("name", "data")),
        shape=tuple(shape),
        layout=layout,
        colour=_choice(document, "colour", ("rgb", "bgr"), "rgb"),
        mean=_triple(document, "mean", 0.0),
        scale=_triple(document, "scale", 1.0),
        resize=_choice(document, "resize", RESIZES, "stretch"),
        resize_to=_integer(document, "resize_to", 1, MAX_SIDE_PX, 0),
        interpolation=_choice(document, "interpolation", INTERPOLATIONS, "bilinear"),
        decode_margin=_number(document, "decode_margin", 1.0),
    )
    longest = max(built.height_px, built.width_px)
    if not 1.0 <= built.decode_margin <= 8.0:
        raise ModelError(f"input.decode_margin is {built.decode_margin}; use 1 to 8")
    if built.resize == "shorter_side_crop" and built.resize_to < longest:
        raise ModelError(f"input.resize_to is {built.resize_to}; use {longest} at least")
    return built


def _triple(document: Mapping[str, Any], key: str, default: float) -> tuple[float, float, float]:
    value = document.get(key, [default] * 3)
    if not (isinstance(value, list) and len(value) == 3 and all(_is_number(n) for n in value)):
        raise ModelError(f"input.{key} is {value!r:.80}; use three numbers, one per channel")
    return (float(value[0]), float(value[1]), float(value[2]))


def _object(document: Mapping[str, Any], key: str, default: Any = None) -> dict[str, Any]:
    value = document.get(key, default)
    if not isinstance(value, dict):
        raise ModelError(f"{MANIFEST}: {key} is {value!r:.80}, use an object")
    return value


def _choice(
    document: Mapping[str, Any], key: str, allowed: tuple[str, ...], default: str | None = None
) -> str:
    value = document.get(key, default)
    if value not in allowed:
        raise ModelError(f"{MANIFEST}: {key} is {value!r:.80}; use one of {', '.join(allowed)}")
    return str(value)


def _match(document: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not pattern.match(value):
        raise ModelError(f"{MANIFEST}: {key} is {value!r:.80}; it must match {pattern.pattern}")
    return value


def _integer(document: Mapping[str, Any], key: str, low: int, high: int, default: int) -> int:
    value = document.get(key, default)
    if value == default:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ModelError(f"{MANIFEST}: {key} is {value!r:.80}; use {low} to {high}")
    return value


def _number(document: Mapping[str, Any], key: str, default: float) -> float:
    value = document.get(key, default)
    if not _is_number(value):
        raise ModelError(f"{MANIFEST}: {key} is {value!r:.80}, use a number")
    return float(value)


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)
