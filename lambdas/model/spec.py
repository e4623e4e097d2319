"""What a model package says about itself: `model.json`, read and checked.

Pure and standard library only, so that the tool that packs and the worker that loads
read a package with the same eyes (docs/spec/model-package.md).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from lambdas.model.errors import ModelError
from lambdas.model.fields import MANIFEST, Fields
from lambdas.model.input_spec import Input, read_input
from lambdas.model.output_spec import NOT_DONE, TASKS, Output, read_output
from lambdas.model.probe_spec import Probe, read_probes
from lambdas.model.tasks.ssd_spec import DetectionRule

__all__ = ["MANIFEST", "Input", "ModelError", "ModelSpec", "parse_model"]

VERSION = 1
#: runtime → the keys of model.json that name its files.
RUNTIME_FILES = {
    "mxnet": ("symbol", "params"),
    "onnxruntime": ("model",),
    "openvino": ("model", "weights"),
    "pytorch": ("model",),
    "simulated": (),
    "noop": (),
}
#: runtime → the module that its interpreter must have.
RUNTIME_MODULES = {
    "mxnet": "mxnet",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "pytorch": "torch",
}
#: Runtimes that compute nothing; every result made with them says so.
SIMULATED = ("simulated", "noop")
KEYS = (
    "v", "name", "version", "runtime", "task", "files", "symbol", "params", "model", "weights",
    "labels", "input", "output", "threshold", "footprint", "simulated", "compiled_from", "probes",
    "options",
)  # fmt: skip

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


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
    output: Output
    threshold: float
    footprint: dict[str, Any]
    #: What comes after the network, where the network itself ends before its detections.
    detection: DetectionRule | None = None
    simulation: dict[str, Any] = field(default_factory=dict)
    #: Pictures of the package that the network has to answer right before it may serve.
    probes: tuple[Probe, ...] = ()
    #: Passed to the runtime as they are (docs/spec/model-package.md).
    options: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def softmax(self) -> bool:
        return self.output.softmax is True

    @property
    def top(self) -> int:
        return self.output.top

    @property
    def simulated(self) -> bool:
        return self.runtime in SIMULATED

    @property
    def identity(self) -> dict[str, str]:
        """What every result carries."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


def parse_model(content: bytes) -> ModelSpec:
    """Read `model.json`. Raises `ModelError` with the first thing that is wrong."""
    document = read_json(content)
    if document.get("v") != VERSION:
        raise ModelError(f"{MANIFEST}: v is {document.get('v')!r}, this version knows {VERSION}")
    fields = Fields(document, "", KEYS)
    runtime = fields.choice("runtime", tuple(RUNTIME_FILES))
    files = _files(fields)
    task = _task(fields)
    output, detection = read_output(fields.raw("output", {}), task)
    spec = ModelSpec(
        name=fields.match("name", _NAME),
        version=fields.match("version", _VERSION),
        runtime=runtime,
        task=task,
        files=files,
        roles=_roles(fields, runtime, files),
        input=read_input(fields.raw("input")),
        output=output,
        threshold=fields.number("threshold", 0.0),
        footprint=fields.mapping("footprint", {}),
        detection=detection,
        simulation=fields.mapping("simulated", {}),
        probes=read_probes(fields.raw("probes", []), files),
        options=fields.mapping("options", {}),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    _consistent(spec)
    return spec


def read_json(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`, with or without a byte order mark. Raises `ModelError`."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{MANIFEST} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ModelError(f"{MANIFEST} is not a JSON object")
    return document


def _task(fields: Fields) -> str:
    if fields.raw("task") in NOT_DONE:
        raise fields.fault("task", f"that is not done here; there are {', '.join(TASKS)}")
    return fields.choice("task", TASKS)


def _consistent(spec: ModelSpec) -> None:
    resize = spec.input.resize
    if spec.output.layout == "ssd" and resize != "stretch":
        raise ModelError("ssd_detection needs input.resize 'stretch': boxes are of the whole image")
    if spec.task.endswith("_segmentation") and resize == "shorter_side_crop":
        raise ModelError(
            f"{spec.task} needs input.resize 'stretch' or 'letterbox': masks are of the whole image"
        )


def _roles(fields: Fields, runtime: str, files: dict[str, str]) -> dict[str, str]:
    roles = {}
    for role in (*RUNTIME_FILES[runtime], "labels"):
        name = fields.raw(role)
        if name is None and role == "labels":
            continue
        if name not in files:
            raise ModelError(
                f"{MANIFEST}: {role} is {name!r}; runtime {runtime} needs one of `files`"
            )
        roles[role] = name
    return roles


def _files(fields: Fields) -> dict[str, str]:
    files = fields.mapping("files", {})
    for name, digest in files.items():
        if not _FILE.match(name) or ".." in name.split("/") or name == MANIFEST:
            raise ModelError(f"{MANIFEST}: file name {name!r:.80} is not a plain relative path")
        if not isinstance(digest, str) or not _SHA256.match(digest):
            raise ModelError(f"{MANIFEST}: {name} has no SHA-256 in hex: {digest!r:.80}")
    return files
