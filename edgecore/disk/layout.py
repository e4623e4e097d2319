"""Names below the state directory, and how a staged folder is written.

``deployment/current`` → ``deployment/{id}/`` with ``group.json``, ``lambdas/``,
``models/`` (links into ``cache/``), ``previous`` (the id that was current before) and,
until it is committed, ``uncommitted``; while its first images are counted, ``trial.json``.
``deployment/refused.json``: what is not tried again.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecore.disk.sync import sync_folders
from edgecore.disk.whole_file import write_whole

GROUP_FILE = "group.json"
PREVIOUS_FILE = "previous"
UNCOMMITTED_FILE = "uncommitted"
REFUSED_FILE = "refused.json"
TRIAL_FILE = "trial.json"
STAGING_PREFIX = ".staging-"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def deployments(state: Path) -> Path:
    return state / "deployment"


def current_link(state: Path) -> Path:
    return deployments(state) / "current"


def folder_name(text: str) -> str:
    """A file name for an ARN or an id: never empty, hidden or ``current``."""
    name = _UNSAFE.sub("_", text).lstrip(".")[:200]
    return f"_{name}" if name in ("", "current") else name


def write_durably(path: Path, text: str) -> None:
    """Readers see the old or the new text, whole; nothing of it is a secret."""
    write_whole(path, text.encode("utf-8"), 0o666)  # as the umask leaves it


def read_document(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / GROUP_FILE).read_text(encoding="utf-8"))
    return content


def stage(state: Path, document: Mapping[str, Any]) -> Path:
    """Write a deployment folder that nothing points to yet, synced to disk."""
    parent = deployments(state)
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=parent))
    try:
        folder.chmod(0o755)
        write_durably(folder / GROUP_FILE, json.dumps(document, indent=1, sort_keys=True) + "\n")
        _link(folder / "lambdas", _codes(document))
        _link(folder / "models", _models(document))
        sync_folders(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def cache_entries(document: Mapping[str, Any]) -> set[str]:
    """Paths below the state directory that this deployment needs."""
    return {*_codes(document).values(), *_models(document).values()}


def _codes(document: Mapping[str, Any]) -> dict[str, str]:
    lambdas: Mapping[str, Any] = document.get("Lambdas") or {}
    return {arn: entry["Code"] for arn, entry in lambdas.items() if entry.get("Code")}


def _models(document: Mapping[str, Any]) -> dict[str, str]:
    models: Mapping[str, Any] = document.get("Models") or {}
    return {name: entry["Path"] for name, entry in models.items() if entry.get("Path")}


def _link(folder: Path, targets: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, relative in targets.items():
        link = folder / folder_name(name.split(":function:")[-1])
        # From deployment/{id}/lambdas/: three levels up is the state directory.
        link.symlink_to(Path("../../..") / relative)
