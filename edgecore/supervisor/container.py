"""What a function sees in its bubblewrap container: the system's programs, its interpreter, its
code, and what the group gives it. Nothing else of the host is there. Pure but for looking at
which of these exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from edgecore.core.group import Function, LocalDevice, LocalVolume, Resource
from edgecore.supervisor.identity import Identity
from edgecore.supervisor.isolation import Home, attached

CODE_IN_CONTAINER = "/lambda"
PACKAGE = Path(__file__).parents[1]
SYSTEM = ("bin", "etc", "lib", "lib32", "lib64", "libx32", "nix", "opt", "sbin", "usr")
"""Of the host's root, read-only. Also /run/systemd/resolve, where /etc/resolv.conf may point."""
SECRET = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers")
NAMESERVERS = Path("/run/systemd/resolve")
MAX_LINKS = 40  # Linux's own limit, path_resolution(7)
CARD_FILE = re.compile(r"/dev/nvidia[0-9]+")
Bind = tuple[str, str, str]


def container_home(  # noqa: PLR0913 - each is one thing that is shown or hidden
    function: Function,
    resources: Iterable[Resource],
    bwrap: str,
    folder: Path,
    *,
    python: str | None = None,
    identity: Identity | None = None,
    hidden: Sequence[Path] = (),
    cards: Sequence[str] | None = None,
) -> Home:
    """A bubblewrap container: own pid, ipc and uts, shared network.

    `python`: the interpreter inside, None for an executable. `hidden`: the core's own files,
    should they lie below what is shown. `cards`: device files of the function's GPUs, in place
    of those that the group document guessed from their index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bound = [bind for each in attached(function, resources) for bind in _bind(*each)]
    if cards is not None:
        bound = _with_cards(bound, cards)
    targets = [Path(CODE_IN_CONTAINER), *(Path(target) for _, _, target in bound)]
    shown = [Path("/") / name for name in SYSTEM]
    shown += [NAMESERVERS, *([Path("/sys")] if function.access_sysfs else [])]
    words = [bwrap, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    words += _read_only(shown, [target for target in targets if not target.exists()])
    words += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]  # noqa: S108
    programs = _programs(python)
    # bubblewrap makes missing parents 0700, which would close them to another user.
    words += _passable([*programs, *targets])
    words += [word for path in programs for word in ("--ro-bind", str(path), str(path))]
    words += _hide(hidden, shown)
    if function.code is not None:
        words += ["--ro-bind", str(function.code.resolve()), CODE_IN_CONTAINER]
    for bind in bound:
        words += bind
    words += ["--chdir", CODE_IN_CONTAINER, "--", *become(identity)]
    return Home(
        prefix=tuple(words),
        cwd=folder,
        code=CODE_IN_CONTAINER,
        resource_prefix="/",
        isolation="container",
        byte_code="/tmp/pycache",  # noqa: S108 - the container's own
    )


def become(identity: Identity | None) -> list[str]:
    """util-linux's setpriv in front of the function's program."""
    if identity is None:
        return []
    further = ",".join(map(str, identity.groups))
    groups = f"--groups={further}" if further else "--clear-groups"
    user = [f"--reuid={identity.uid}", f"--regid={identity.gid}"]
    return ["setpriv", *user, groups, "--inh-caps=-all"]


def _bind(resource: Resource, writable: bool) -> Iterator[Bind]:
    kind = "--bind" if writable else "--ro-bind"
    if isinstance(resource, LocalVolume):
        yield (kind, resource.source_path, resource.destination_path)
    elif isinstance(resource, LocalDevice):
        yield ("--dev-bind", resource.source_path, resource.source_path)
    elif resource.path is not None:
        yield (kind, str(resource.path.resolve()), resource.destination_path)


def _with_cards(bound: Sequence[Bind], cards: Sequence[str]) -> list[Bind]:
    """A function that was given no card's file gets none."""
    others = [each for each in bound if not CARD_FILE.fullmatch(each[1])]
    if len(others) == len(bound):
        return others
    return others + [("--dev-bind", file, file) for file in cards]


def _programs(python: str | None) -> list[Path]:
    """The bootstrap, the interpreter with its environment, and what LD_LIBRARY_PATH names."""
    found = [PACKAGE]
    if python is not None:
        found += [link.parents[1] for link in _links(Path(python))]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    found += [Path(each) for each in libraries if each.startswith("/")]
    system = [Path("/") / name for name in SYSTEM]
    return [
        path
        for path in dict.fromkeys(found)
        if path.is_dir()
        and path != Path("/")
        and not any(top in (path, *path.parents) for top in system)
    ]


def _links(path: Path) -> Iterator[Path]:
    """A program and what it links to, step by step: an environment's is a link to another's."""
    yield path
    for _ in range(MAX_LINKS):
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))
        yield path


def _passable(targets: Iterable[Path]) -> list[str]:
    above = {parent for target in targets for parent in target.parents} - {Path("/")}
    return [word for path in sorted(above) for word in ("--dir", str(path))]


def _hide(hidden: Sequence[Path], shown: Sequence[Path]) -> list[str]:
    words: list[str] = []
    for path in (*hidden, *map(Path, SECRET)):
        if path.is_dir() and any(top in (path, *path.parents) for top in shown):
            words += ["--tmpfs", str(path)]
        elif path.is_file() and any(top in path.parents for top in shown):
            words += ["--ro-bind", "/dev/null", str(path)]
    return words


def _read_only(entries: Iterable[Path], missing: Sequence[Path]) -> list[str]:
    """Bind what exists, read-only; a folder that must get a new entry is made anew.

    A read-only bind takes no new mount points, so a folder cannot be bound as one where a
    destination below it does not exist on the host.
    """
    words: list[str] = []
    for entry in entries:
        if entry.is_symlink():
            words += ["--symlink", str(entry.readlink()), str(entry)]
        elif any(entry in target.parents for target in missing) and entry.is_dir():
            words += ["--dir", str(entry), *_read_only(sorted(entry.iterdir()), missing)]
        elif entry.exists():
            words += ["--ro-bind", str(entry), str(entry)]
    return words
