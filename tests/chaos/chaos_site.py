"""The chaos site as a group document: a model that echoes, hooks that read the picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fanfold.localcore.starting import with_local_files
from infra.packaging import build_lambdas
from infra.planning import load_site, plan_group, render
from models.package import pack

ROOT = Path(__file__).parents[2]
NAME = "chaos"
HOOKS = Path(__file__).with_name("chaos_hooks.py")
SITE = {
    "name": NAME,
    "profile": "this-machine",
    "account": "123456789012",
    "region": "us-east-1",
    "core": {"thing": "chaos-core"},
    "model": {
        "s3_uri": "s3://chaos-models/model.tar.gz",
        "footprint": {"memory_kb": 100_000, "ms": {"transform": 1.0, "inference": 1.0}},
    },
    "cameras": [{"name": "cam1"}, {"name": "cam2"}],
    "workers": 2,
    "hooks": "chaos_hooks",
    "cloud": {"batch_s": 0.2},
}


def make_model(
    out: Path, *, version: str = "1.0.0", wait_ms: float = 0, sound: bool = True
) -> Path:
    """A package that answers with its input after ``wait_ms``; not ``sound``: none can load it."""
    simulated = {"wait_ms": wait_ms if sound else "soon", "gpus": 0, "echo": True}
    model = {
        "v": 1, "name": "echo", "version": version, "task": "classification", "files": {},
        "runtime": "simulated", "simulated": simulated,
        "input": {"name": "data", "shape": [1, 3, 8, 8], "resize": "stretch"},
    }  # fmt: skip
    pack(out.parent, model, out)
    return out


def make_document(folder: Path, model: Path, site: dict[str, Any]) -> dict[str, Any]:
    """The group of SITE, changed by ``site``, whose code and model are files here."""
    for name in ("images", "state"):
        (folder / name).mkdir(exist_ok=True)
    volumes = {name: str(folder / name) for name in ("images", "state")}
    path = folder / f"{NAME}.yaml"
    path.write_text(json.dumps({**SITE, "volumes": volumes, **site}))
    settings, profile = load_site(path, ROOT / "device_profiles")
    code = build_lambdas(folder / "lambdas.zip", hooks={HOOKS.name: HOOKS})
    return with_local_files(render(plan_group(settings, profile)), code, model)
