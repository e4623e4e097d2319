"""Where a function's process lives: a working folder, or a bubblewrap container. Pure but for
the folder's links and one probe.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecore.core.group import (
    Function,
    LocalDevice,
    LocalVolume,
    MachineLearningModel,
    Resource,
)

CODE_IN_CONTAINER = "/lambda"
PACKAGE = Path(__file__).parents[1]
PROBE_TIMEOUT_S = 10.0
CARD_FILE = re.compile(r"/dev/nvidia[0-9]+")


class IsolationError(Exception):
    """A container was asked for and cannot be had; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """``prefix`` is put in front of the command; ``cwd`` is the host's view."""

    prefix: tuple[str, ...]
    cwd: Path
    code: str
    resource_prefix: str
    isolation: str


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


def plain_home(function: Function, resources: Iterable[Resource], folder: Path) -> Home:
    """A process of this host: models are links below ``folder``, which is the prefix.

    V1 does the same for NoContainer: path = AWS_GG_RESOURCE_PREFIX + DestinationPath.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for resource, _ in attached(function, resources):
        if isinstance(resource, MachineLearningModel) and resource.path is not None:
            _link(folder / resource.destination_path.lstrip("/"), resource.path)
    code = function.code or folder
    return Home(prefix=(), cwd=code, code=str(code), resource_prefix=str(folder), isolation="none")


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.absolute(), target_is_directory=True)
    temporary.replace(link)  # atomic: a running copy of the function never misses it


def container_home(  # noqa: PLR0913 - what the group says, and what the machine says
    function: Function,
    resources: Iterable[Resource],
    bwrap: str,
    folder: Path,
    *,
    python: str | None = None,
    cards: Sequence[str] | None = None,
) -> Home:
    """A bubblewrap container: host root read-only, own pid, ipc and uts, shared network.

    `python`: the interpreter inside; its environment is shown also where it lies below /tmp.
    `cards`: device files of the function's GPUs, in place of those that the group document
    guessed from their index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [bwrap, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    bound: list[tuple[str, str, str]] = []
    for resource, writable in attached(function, resources):
        bound += _bind(resource, writable)
    if cards is not None:
        bound = _with_cards(bound, cards)
    targets = [Path(CODE_IN_CONTAINER), *(Path(target) for _, _, target in bound)]
    command += _read_only_root([target for target in targets if not target.exists()])
    command += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]  # noqa: S108
    # Where this code or the interpreter lies below /tmp, the line above has hidden it.
    command += ["--ro-bind", str(PACKAGE), str(PACKAGE)]
    if python is not None and python.startswith("/tmp/"):  # noqa: S108
        environment = str(Path(python).parents[1])
        command += ["--ro-bind", environment, environment]
    if function.code is not None:
        command += ["--ro-bind", str(function.code.resolve()), CODE_IN_CONTAINER]
    for kind, source, target in bound:
        command += [kind, source, target]
    command += ["--chdir", CODE_IN_CONTAINER, "--"]
    return Home(
        prefix=tuple(command),
        cwd=folder,
        code=CODE_IN_CONTAINER,
        resource_prefix="/",
        isolation="container",
    )


def _bind(resource: Resource, writable: bool) -> list[tuple[str, str, str]]:
    if isinstance(resource, LocalVolume):
        kind = "--bind" if writable else "--ro-bind"
        return [(kind, resource.source_path, resource.destination_path)]
    if isinstance(resource, LocalDevice):
        return [("--dev-bind", resource.source_path, resource.source_path)]
    if resource.path is None:
        return []
    kind = "--bind" if writable else "--ro-bind"
    return [(kind, str(resource.path.resolve()), resource.destination_path)]


def _with_cards(
    bound: Sequence[tuple[str, str, str]], cards: Sequence[str]
) -> list[tuple[str, str, str]]:
    """A function that was given no card's file gets none."""
    others = [each for each in bound if not CARD_FILE.fullmatch(each[1])]
    if len(others) == len(bound):
        return others
    return others + [("--dev-bind", file, file) for file in cards]


def _read_only_root(missing: Sequence[Path], below: Path = Path("/")) -> list[str]:
    """Bind what is ``below``, read-only; a folder that must get a new entry is made anew.

    A read-only bind takes no new mount points, so ``/`` cannot be bound as one where a
    destination does not exist on the host.
    """
    words: list[str] = []
    for entry in sorted(below.iterdir()):
        if str(entry) in ("/dev", "/proc", "/tmp"):  # noqa: S108 - these are the container's own
            continue
        if entry.is_symlink():
            words += ["--symlink", str(entry.readlink()), str(entry)]
        elif any(entry in target.parents for target in missing):
            words += ["--dir", str(entry), *_read_only_root(missing, entry)]
        else:
            words += ["--ro-bind", str(entry), str(entry)]
    return words
