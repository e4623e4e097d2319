"""Where a function's process lives without a container: a working folder. Pure but for the
folder's links and one probe. What a container shows is in `edgecore.supervisor.container`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgecore.core.group import Function, LocalVolume, MachineLearningModel, Resource
from edgecore.supervisor.identity import Identity, IsolationError

__all__ = ["Home", "IsolationError", "attached", "bubblewrap", "model_folders", "plain_home"]
PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Home:
    """``prefix`` is put in front of the command; ``cwd`` is the host's view. ``byte_code``: where
    Python may keep it. ``identity`` None: the core's own, or the prefix changes it."""

    prefix: tuple[str, ...]
    cwd: Path
    code: str
    resource_prefix: str
    isolation: str
    byte_code: str
    identity: Identity | None = None


def bubblewrap() -> str | None:
    """The path of a ``bwrap`` that really makes namespaces here."""
    found = shutil.which("bwrap")
    if found is None:
        return None
    command = [found, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--", "true"]
    try:
        subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found


def attached(function: Function, resources: Iterable[Resource]) -> list[tuple[Resource, bool]]:
    """The function's resources, each with whether it may be written."""
    by_id = {resource.id: resource for resource in resources}
    return [
        (by_id[access.resource_id], access.permission == "rw")
        for access in function.access
        if access.resource_id in by_id
    ]


def away(function: Function, resources: Iterable[Resource]) -> str | None:
    """What of the host a container of the function would show and is not there, and what to do."""
    for resource, _ in attached(function, resources):
        if isinstance(resource, MachineLearningModel) or Path(resource.source_path).exists():
            continue
        kind = "volume" if isinstance(resource, LocalVolume) else "device"
        return (
            f"{kind} {resource.name!r}: {resource.source_path} is not on this machine; "
            f"{'create the folder' if kind == 'volume' else 'connect it'}, or correct SourcePath "
            "in the group"
        )
    return None


def model_folders(function: Function, resources: Iterable[Resource]) -> dict[str, Path]:
    """The function's models: where each is shown, relative to the prefix → where it lies."""
    return {
        resource.destination_path.lstrip("/"): resource.path
        for resource, _ in attached(function, resources)
        if isinstance(resource, MachineLearningModel) and resource.path is not None
    }


def plain_home(
    function: Function, resources: Iterable[Resource], folder: Path, byte_code: Path
) -> Home:
    """A process of this host: models are links below ``folder``, which is the prefix.

    V1 does the same for NoContainer: path = AWS_GG_RESOURCE_PREFIX + DestinationPath.
    ``byte_code``: of all such functions, which are one user; most share their code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for below, path in model_folders(function, resources).items():
        _link(folder / below, path)
    code = function.code or folder
    return Home(
        prefix=(),
        cwd=code,
        code=str(code),
        resource_prefix=str(folder),
        isolation="none",
        byte_code=str(byte_code),
    )


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.absolute(), target_is_directory=True)
    temporary.replace(link)  # atomic: a running copy of the function never misses it
