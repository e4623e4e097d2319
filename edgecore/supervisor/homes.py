"""Which home a function gets: a container or none, as whom, and whether it can live there."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgecore.core.group import Function, LocalDevice, LocalVolume, Resource
from edgecore.disk.layout import folder_name
from edgecore.supervisor.container import container_home
from edgecore.supervisor.executables import program_name
from edgecore.supervisor.identity import (
    Identities,
    Identity,
    IdentityError,
    IsolationError,
    group_number,
    sharing,
)
from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME
from edgecore.supervisor.isolation import Home, attached, bubblewrap, model_folders, plain_home
from edgecore.supervisor.own_folder import functions_folder, make_own_folder
from edgecore.supervisor.own_number import own_number

BOOTSTRAP = Path(__file__).parents[1] / "runtime" / "bootstrap.py"
IsolationChoice = Literal["auto", "none"]


@dataclass(kw_only=True)
class Homes:
    """Of one group; `find` takes what the operator should know, each once, and `forget` what no
    longer holds. `key_file`: the join file, which no function is to read."""

    resources: Sequence[Resource]
    state: Path
    identities: Identities
    find: Callable[[str], None]
    forget: Callable[[str], None] = field(default=lambda _text: None)
    isolation: IsolationChoice = "auto"
    key_file: Path | None = None
    probe_bubblewrap: Callable[[], str | None] = bubblewrap
    _bwrap: str | None = None
    _bare: dict[str, Identity] = field(default_factory=dict)
    _shared: list[str] = field(default_factory=list)

    def settle(self, programs: Sequence[tuple[Function, str | None]]) -> None:
        """Whom functions are that nobody named a user for: once for a group, before `check`.

        A program is None where this machine has none for the function.
        """
        if not self.identities.nobody_named:
            return
        unnamed = [each for each in programs if each[0].run_as_uid is each[0].run_as_gid is None]
        bare = [(f, p) for f, p in unnamed if p is not None and not self._contained(f)]
        needed = {Path(p) for f, p in bare if f.runtime != EXECUTABLE_RUNTIME}
        needed |= {BOOTSTRAP.parent, self.state.parent} if bare else set()
        found = own_number([f for f, _ in unnamed], self.resources, sorted(needed))
        self.identities.unasked, self.identities.not_unasked = found.identity, found.why

    def check(self, function: Function, program: str) -> None:
        """Make it anew. Raises IsolationError for what no restart would repair."""
        home = self._home(function, program, anew=True)
        if home.identity is None:
            return
        if home.isolation == "container":
            self._check_volumes(function, home.identity)
            return
        if function.runtime == EXECUTABLE_RUNTIME:  # a copy of it lies in the function's own folder
            program = str(Path(home.code) / program_name(function))
        for letter, path in (("x", program), ("r", str(BOOTSTRAP))):
            if not home.identity.can(letter, path):
                raise IdentityError(
                    f"uid {home.identity.uid} cannot reach {path}: make it and the folders above "
                    "readable (chmod o+rx), or choose another user with --function-user"
                )
        self._bare[function.id] = home.identity
        self._log_who_shares()

    def _log_who_shares(self) -> None:
        """As of now: what was said while fewer functions were checked is taken back."""
        for finding in self._shared:
            self.forget(finding)
        self._shared = sharing(self._bare)
        for finding in self._shared:
            self.find(finding)

    def of(self, function: Function, program: str, cards: Sequence[str] | None = None) -> Home:
        """Where a worker of it starts; `cards` as in `container_home`. Raises IsolationError."""
        return self._home(function, program, cards, anew=False)

    def _home(
        self, function: Function, program: str, cards: Sequence[str] | None = None, *, anew: bool
    ) -> Home:
        folder = self.state / "work" / function.id
        if self._contained(function):
            return self._container(function, program, folder, cards)
        identity = self.identities.of(function)
        if identity is None:
            if self.key_file is not None:
                self._judge_the_cores_own(function, self.key_file)
            return plain_home(function, self.resources, folder, self.state / "pycache")
        return self._own(function, identity, anew=anew)

    def _judge_the_cores_own(self, function: Function, key_file: Path) -> None:
        """A function as the core itself, beside the device's key. Raises IdentityError for root
        that nobody asked for."""
        if self.identities.core_uid:
            self.find(
                "functions without a container run as the core's own user, uid "
                f"{self.identities.core_uid}, and can read its key in {key_file}: use "
                "containers, or start the core as root with --function-user"
            )
        elif self.identities.root_by_default:
            raise IdentityError(
                f"function {function.id} would run as root and could read this device's key in "
                f"{key_file}: {self.identities.remedy} (root: as the core all the same)"
            )

    def _contained(self, function: Function) -> bool:
        if function.isolation == "NoContainer":
            return False
        if self.isolation == "none":
            self.find(f"function {function.id} is declared with a container but runs without one")
            return False
        return True

    def _container(
        self, function: Function, program: str, folder: Path, cards: Sequence[str] | None
    ) -> Home:
        self._bwrap = self._bwrap or self.probe_bubblewrap()
        if self._bwrap is None:
            raise IsolationError(
                f"function {function.id} asks for a container and bubblewrap does not work here: "
                "install bubblewrap and allow user namespaces, or pass --isolation none"
            )
        identity = self.identities.of(function, self._groups(function))
        if identity is not None and shutil.which("setpriv") is None:
            raise IdentityError(
                f"function {function.id} is to run as uid {identity.uid} in a container and "
                "setpriv is missing here: install util-linux, or pass --function-user root"
            )
        return container_home(
            function,
            self.resources,
            self._bwrap,
            folder,
            python=None if function.runtime == EXECUTABLE_RUNTIME else program,
            identity=identity,
            hidden=[self.state, *([self.key_file] if self.key_file else [])],
            cards=cards,
        )

    def _own(self, function: Function, identity: Identity, *, anew: bool) -> Home:
        parent, code = functions_folder(self.state), function.code
        folder = parent / folder_name(function.id)
        if anew or not folder.is_dir():
            parts = model_folders(function, self.resources)
            parts.update({"code": code} if code else {})
            try:
                make_own_folder(parent, folder.name, identity, parts)
            except OSError as error:
                raise IdentityError(
                    f"function {function.id}: its folder in {parent} cannot be made "
                    f"({error.strerror or error}); make room or rights there"
                ) from error
        return Home(
            prefix=(),
            cwd=folder / "code" if code else folder,
            code=str(folder / "code" if code else folder),
            resource_prefix=str(folder),
            isolation="none",
            byte_code=str(folder / "pycache"),
            identity=identity,
        )

    def _groups(self, function: Function) -> Iterator[int]:
        """What the group's GroupOwnerSetting adds to who uses a volume or a device."""
        for resource, _ in attached(function, self.resources):
            if not isinstance(resource, LocalVolume | LocalDevice):
                continue
            source = Path(resource.source_path)
            if resource.owner_group and source.exists():
                yield source.stat().st_gid
            if resource.group_owner is not None:
                number = group_number(resource.group_owner)
                if number is None:
                    self.find(
                        f"resource {resource.id}: no group {resource.group_owner!r} on this "
                        f"machine; nobody is added to it (groupadd {resource.group_owner})"
                    )
                else:
                    yield number

    def _check_volumes(self, function: Function, identity: Identity) -> None:
        for resource, writable in attached(function, self.resources):
            if not (isinstance(resource, LocalVolume) and writable):
                continue
            source = Path(resource.source_path)
            if not source.is_dir():
                continue
            found = source.stat()
            if not identity.may_write(found):
                raise IdentityError(
                    f"function {function.id}, uid {identity.uid}, may not write volume {source} "
                    f"({stat.filemode(found.st_mode)}, uid {found.st_uid}, gid {found.st_gid}): "
                    f"chown {identity.uid}:{identity.gid} {source}"
                )
