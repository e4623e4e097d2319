"""From a job's checked files to a staged deployment: ``edgecore.deploy`` does the rest."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.nesting import json_of
from edgecore.disk import layout
from edgecore.disk.archive import LAMBDA_LIMITS, ArchiveError, Limits, extract
from edgecore.jobs.artifacts import ArtifactFailed
from edgecore.jobs.document import Artifact, JobDocument, JobRefused
from edgecore.sources import LoadedGroup, SourceError
from edgecore.sources.document import model_data, to_group
from edgecore.sources.load import loaded

THING_MARK = "${thing}"


def read_group(path: Path, document: JobDocument, thing: str) -> dict[str, Any]:
    """The group document for this thing. Raises JobRefused."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if document.per_thing:
        text = text.replace(THING_MARK, json.dumps(thing)[1:-1])
    try:
        group = json_of(text)
        to_group(group, base=path.parent)
    except (ValueError, SourceError, AttributeError, KeyError, TypeError) as error:
        raise JobRefused(f"the group document cannot be used: {error}") from error
    named = (group.get("Core") or {}).get("ThingName")
    if named != thing:
        raise JobRefused(f"the group's core is {named!r}, this device is {thing!r}; deploy a "
            "group of its own, or one with per_thing and ${thing}")  # fmt: skip
    return dict(group)


def stage(
    state: Path,
    group: dict[str, Any],
    document: JobDocument,
    files: Mapping[str, Path],
    deployment_id: str,
) -> LoadedGroup:
    """Unpack and write the deployment folder that nothing points to yet. Blocking.

    ``files``: by SHA-256. Raises JobRefused, ArtifactFailed, SourceError.
    """
    lambdas = group.get("Lambdas") or {}
    for code in document.code:
        relative = _code(state, code.artifact, files)
        for arn in code.arns:
            if arn in lambdas:
                sha256 = base64.b64encode(bytes.fromhex(code.artifact.sha256)).decode()
                lambdas[arn].update(Code=relative, CodeSha256=sha256)
    without = sorted(arn for arn, entry in lambdas.items() if not entry.get("Code"))
    if without:
        raise JobRefused(f"function {without[0]}: the job has no code for it; name its ARN in code")
    if models := _models(state, group, document, files):
        group["Models"] = models
    group["DeploymentId"] = deployment_id
    folder = layout.stage(state, group)
    return loaded(group, state=state, folder=folder)


def _code(state: Path, artifact: Artifact, files: Mapping[str, Path]) -> str:
    relative = f"cache/code/{artifact.sha256}"
    _unpack(artifact, files, state / relative, LAMBDA_LIMITS)
    return relative


def _models(
    state: Path, group: dict[str, Any], document: JobDocument, files: Mapping[str, Path]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for resource in group.get("Resources") or []:
        data = model_data(resource)
        identity = str(resource.get("Id"))
        wanted = not document.model_resources or identity in document.model_resources
        if data is None:
            continue
        if document.model is None or not wanted:
            raise JobRefused(f"resource {identity!r} is a model and the job brings none for it; "
                "give model with its uri and sha256")  # fmt: skip
        artifact = document.model
        relative = f"cache/models/{artifact.sha256[:32]}"
        _unpack(artifact, files, state / relative, None)
        uri = data.get("S3Uri") or artifact.uri.partition("?")[0]
        found[identity] = {
            "S3Uri": uri, "ETag": artifact.sha256, "VersionId": None, "Path": relative,
        }  # fmt: skip
    return found


def _unpack(
    artifact: Artifact, files: Mapping[str, Path], target: Path, limits: Limits | None
) -> None:
    if target.exists():
        return
    try:
        extract(files[artifact.sha256], target, limits=limits)
    except ArchiveError as error:
        raise ArtifactFailed(f"{artifact.what}: {error}") from error
    except OSError as error:
        raise ArtifactFailed(f"{artifact.what}: cannot be unpacked to {target.parent} "
            f"({error.strerror}); free space there") from error  # fmt: skip
