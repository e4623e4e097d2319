"""``load``: one source string → a staged deployment folder and the group in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.nesting import json_of
from edgecore.core.group import Group
from edgecore.disk import layout
from edgecore.sources import api, certificates, on_device
from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.document import digest, to_group
from edgecore.sources.errors import MISSING, SourceError
from edgecore.sources.fetch import Fetcher
from edgecore.sources.left_out import findings

_API = "greengrass:"
_IMPORTED_FIRST = (
    "a template, a cloud assembly or a greengo.yaml is imported first: fanfold import SOURCE FOLDER"
)
_DEPLOYMENT = ("DeploymentId", "Version")


@dataclass(frozen=True, kw_only=True)
class LoadedGroup:
    """A group with everything it names on this disk, staged but not yet current.

    ``folder`` holds ``group.json`` and links into the caches; ``findings`` are sentences
    for the operator about what this core leaves out.
    """

    group: Group
    deployment_id: str
    folder: Path
    findings: tuple[str, ...] = ()
    content: str = ""
    """Hash of what runs: equal for two deployments of the same group, code and model."""


def load(
    source: str,
    *,
    state: Path,
    endpoint_url: str | None = None,
    region: str | None = None,
    device_certificates: str | None = None,
) -> LoadedGroup:
    """Read ``source`` and fetch what it names. Blocking: call it in a thread.

    ``source``: a group document, an on-device ``group.json``, or
    ``greengrass:GROUP_ID_OR_NAME``. Code and models already in the caches of ``state``
    are not downloaded again. ``device_certificates``: a folder with those that the group only
    names, or ``aws-iot``. Raises ``SourceError``.
    """
    cloud = AwsClients(endpoint_url=endpoint_url, region=region)
    try:
        return _load(source, state, cloud, device_certificates)
    except OSError as error:
        raise SourceError(
            f"state directory {state}: {error.strerror or error}; nothing was changed. "
            "Free some space there, or pass another folder (--state)",
            exit_code=MISSING,
        ) from error


def _load(
    source: str, state: Path, cloud: AwsClients, device_certificates: str | None
) -> LoadedGroup:
    document = _document(source, cloud)
    to_group(document, base=state)  # refuse a malformed group before anything is fetched
    if device_certificates is not None:
        certificates.complete(document, device_certificates, cloud)
    local = not source.startswith(_API)
    Fetcher(cloud, state, local_files=local).complete(document)
    document.setdefault("DeploymentId", f"doc-{digest(document)[:16]}")
    folder = layout.stage(state, document)
    return loaded(document, state=state, folder=folder)


def loaded(document: Mapping[str, Any], *, state: Path, folder: Path) -> LoadedGroup:
    """The nouns for a document whose folder is on disk already."""
    return LoadedGroup(
        group=to_group(document, base=state),
        deployment_id=str(document["DeploymentId"]),
        folder=folder,
        findings=findings(document),
        content=digest({k: v for k, v in document.items() if k not in _DEPLOYMENT}),
    )


def check_newer(
    source: str, *, current: str | None, endpoint_url: str | None = None, region: str | None = None
) -> str | None:
    """The id of the group's latest deployment where it is not ``current``, else None.

    One or two API calls. Files are never polled: for them the answer is None.
    """
    if not source.startswith(_API):
        return None
    cloud = AwsClients(endpoint_url=endpoint_url, region=region)
    latest = api.latest_deployment(cloud, source[len(_API) :])
    return latest.id if latest.id != current else None


def _document(source: str, cloud: AwsClients) -> dict[str, Any]:
    if source.startswith(_API):
        return api.read(cloud, source[len(_API) :])
    path = Path(source)
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; {_IMPORTED_FIRST}")
    content = _read_json(path)
    if "GroupDefinitions" in content:
        return on_device.read(content, path)
    if "Core" in content:
        return _relative_to(content, path.parent)
    raise SourceError(
        f"{path}: neither a group document nor an on-device group.json: it has no key Core or "
        f"GroupDefinitions; {_IMPORTED_FIRST}"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json_of(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file or folder", exit_code=MISSING) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read: {error}", exit_code=MISSING) from error
    except ValueError as error:
        raise SourceError(f"{path}: is not JSON: {error}; {_IMPORTED_FIRST}") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path}: does not contain a JSON object")
    return content


def _relative_to(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """``Code`` in a document is relative to the document, not to where we run."""
    for entry in (document.get("Lambdas") or {}).values():
        if code := entry.get("Code"):
            entry["Code"] = str((folder / code).absolute())
    return document
