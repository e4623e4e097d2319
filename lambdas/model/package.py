"""A model package as it lies unpacked on the device: verified first, loaded after."""

from __future__ import annotations

import glob
import json
import os
from typing import Any, NamedTuple

from contract.digests import sha256_of
from lambdas.common.log import get_logger
from lambdas.model.labels import read_labels
from lambdas.model.spec import MANIFEST, ModelError, ModelSpec, parse_model

_log = get_logger("model")


class Package(NamedTuple):
    """`labels[i]` names class i; empty: classes are known by their numbers."""

    folder: str
    spec: ModelSpec
    labels: list[str]

    def path(self, role: str) -> str:
        return os.path.join(self.folder, self.spec.roles[role])


def load_package(folder: str) -> Package:
    """Read the package below `folder` and check every hash.

    A SageMaker SSD artifact without `model.json` is accepted as it is. Raises `ModelError`.
    """
    manifest = os.path.join(folder, MANIFEST)
    if not os.path.isdir(folder):
        raise ModelError(f"no model: {folder} is not a folder; is the model resource attached?")
    if os.path.exists(manifest):
        with open(manifest, "rb") as file:
            content = file.read()
    else:
        content = sagemaker_manifest(folder)
        _log.info("%s has no %s: taken as a SageMaker SSD artifact", folder, MANIFEST)
    spec = parse_model(content)
    verify(folder, spec)
    return Package(folder, spec, _labels(folder, spec))


def verify(folder: str, spec: ModelSpec) -> None:
    """Compare every file with its SHA-256. Raises `ModelError`."""
    for name, expected in sorted(spec.files.items()):
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise ModelError(f"{spec.name} {spec.version}: {name} is missing in {folder}")
        found = sha256_of(path)
        if found != expected:
            raise ModelError(
                f"{spec.name} {spec.version}: {name} has SHA-256 {found}, "
                f"{MANIFEST} says {expected}: pack or download it again"
            )


def sagemaker_manifest(folder: str) -> bytes:
    """`model.json` for a SageMaker SSD artifact, which carries no hashes of its own.

    Pixels go in as they are: the artifact's symbol normalises them itself (`bn_data`).
    """
    symbol = _only(folder, "*-symbol.json")
    params = _only(folder, "*-0000.params")
    hyper = _hyperparameters(_only(folder, "hyperparams.json"))
    try:
        side_px = int(hyper.get("image_shape", 300))
    except (TypeError, ValueError):
        raise ModelError(
            f"hyperparams.json: image_shape is {hyper.get('image_shape')!r:.80}"
        ) from None
    document = {
        "v": 1,
        "name": "sagemaker-ssd",
        "version": sha256_of(params)[:16],
        "runtime": "mxnet",
        "task": "ssd_detection",
        "files": {os.path.basename(p): sha256_of(p) for p in (symbol, params)},
        "symbol": os.path.basename(symbol),
        "params": os.path.basename(params),
        "input": {"name": "data", "shape": [1, 3, side_px, side_px]},
        "threshold": 0.2,
    }
    return json.dumps(document, sort_keys=True).encode()


def _only(folder: str, pattern: str) -> str:
    found = sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
    if len(found) != 1:
        raise ModelError(
            f"{folder} has neither {MANIFEST} nor one {pattern} ({len(found)} found): "
            "pack it with `fanfold model`, or give a SageMaker SSD artifact"
        )
    return found[0]


def _hyperparameters(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            hyper = json.loads(file.read())
    except ValueError as error:
        raise ModelError(f"hyperparams.json is not JSON: {error}") from None
    return hyper if isinstance(hyper, dict) else {}


def _labels(folder: str, spec: ModelSpec) -> list[str]:
    name = spec.roles.get("labels")
    if name is None:
        return []
    with open(os.path.join(folder, name), "rb") as file:
        return read_labels(file.read(), name)
