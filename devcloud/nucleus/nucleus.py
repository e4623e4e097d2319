"""The device: one deployment at a time, unchanged components untouched, no roll-back (lite)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devcloud.nucleus.recipe import Component, Folders, RecipeError, interpolate, read_recipe
from devcloud.nucleus.running import BROKEN, FINISHED, NEW, RUNNING, Running
from devcloud.nucleus.store import Fetch, fetch_artifacts, remove_artifacts

SETTLED_S = 30.0


class Failed(Exception):  # noqa: N818
    """The deployment failed: which component, and its state. What still runs goes on."""


class Nucleus:
    """`root`: the nucleus's folder. `fetch`: an artifact's URI to its bytes. `user`: uid and gid of
    the components where this process is root, as `ggc_user`; `python`: the device's."""

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        root: Path,
        thing: str,
        fetch: Fetch,
        environment: Mapping[str, str] | None = None,
        *,
        user: int | None = None,
        python: Path | None = None,
    ) -> None:
        self._user, self._python = user, python or Path(sys.executable)
        self._root, self._thing, self._fetch = root, thing, fetch
        self._more = dict(environment or {})
        self.running: dict[str, Running] = {}
        self.fetched_bytes: dict[str, int] = {}
        self._recipes: dict[str, Mapping[str, Any]] = {}

    def __enter__(self) -> Nucleus:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def deploy(self, recipes: Sequence[Mapping[str, Any]]) -> None:
        """These components and no others. Raises Failed."""
        try:
            wanted = {c.name: c for c in map(read_recipe, recipes)}
            given = {str(r["ComponentName"]): r for r in recipes}
            new = [self._prepared(c) for c in wanted.values() if self._differs(c)]
        except RecipeError as error:
            raise Failed(str(error)) from error
        for each in new:  # lite: all installs end before anything is stopped or started
            if not each.install():
                raise Failed(self._last_words(each))
        for name in [n for n in self.running if n not in wanted]:
            self._remove(name)
        for each in new:
            self._recipes[each.component.name] = given[each.component.name]
            self._replace(each)
        self._settle(new)
        self._sweep()

    def stop(self) -> None:
        """The nucleus ends, as at a shutdown: artifacts and work folders stay."""
        for each in self.running.values():
            each.stop()

    def start(self) -> None:
        """After a boot, or a nucleus that was killed: what was deployed here until then, anew."""
        if self._remembered.exists():
            self._recipes = json.loads(self._remembered.read_text(encoding="utf-8"))
        for name, recipe in self._recipes.items():
            self.running[name] = self._running(read_recipe(recipe))
            self.running[name].start()

    def states(self) -> dict[str, str]:
        return {name: each.state for name, each in self.running.items()}

    def _differs(self, component: Component) -> bool:
        here = self.running.get(component.name)
        return here is None or here.component != component or here.state == BROKEN

    def _prepared(self, component: Component) -> Running:
        folders = Folders(self._root, component.name, component.version)
        for phase in component.phases.values():
            interpolate(phase.script, folders, self._thing)  # refused before anything starts
        fetched = fetch_artifacts(component, folders, self._fetch, self._user)
        self.fetched_bytes[component.name] = fetched
        return self._running(component)

    def _running(self, component: Component) -> Running:
        folders = Folders(self._root, component.name, component.version)
        return Running(component, folders, self._environment(), self._thing, self._user)

    def _replace(self, each: Running) -> None:
        name = each.component.name
        before = self.running.get(name)
        if before is not None:
            before.stop()
            if before.component.version != each.component.version:
                remove_artifacts(before.folders)
        self.running[name] = each
        self._remember()
        each.start()

    def _remove(self, name: str) -> None:
        gone = self.running.pop(name)
        gone.stop()
        del self._recipes[name]
        self._remember()
        remove_artifacts(gone.folders)

    @property
    def _remembered(self) -> Path:
        return self._root / "config" / "deployed.json"

    def _remember(self) -> None:
        """One component at a time, as nucleus lite exchanges its units."""
        self._remembered.parent.mkdir(parents=True, exist_ok=True)
        part = self._remembered.with_suffix(".part")
        part.write_text(json.dumps(self._recipes), encoding="utf-8")
        part.replace(self._remembered)

    def _sweep(self) -> None:
        """What a failed deployment left is gone with the next that succeeds."""
        wanted = {(n, each.component.version) for n, each in self.running.items()}
        for version in (self._root / "packages" / "artifacts").glob("*/*"):
            if (version.parent.name, version.name) not in wanted:
                remove_artifacts(Folders(self._root, version.parent.name, version.name))

    def _settle(self, new: Sequence[Running]) -> None:
        """A run that has started counts as done; one that is BROKEN fails the deployment."""
        deadline = time.monotonic() + SETTLED_S
        while any(each.state == NEW for each in new) and time.monotonic() < deadline:
            time.sleep(0.01)
        for each in new:
            if each.state not in (RUNNING, FINISHED):
                raise Failed(self._last_words(each))

    def _last_words(self, each: Running) -> str:
        lines = each.log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
        return f"{each.component.name} is {each.state}: {' | '.join(lines)}"

    def _environment(self) -> dict[str, str]:
        """What a nucleus gives every component, and the PATH of this machine."""
        path = os.pathsep.join([str(self._interpreters()), os.environ.get("PATH", "")])
        return {
            "PATH": path,
            "LANG": "C.UTF-8",
            "AWS_IOT_THING_NAME": self._thing,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "GGC_VERSION": "2.6.0",
            "GG_ROOT_CA_PATH": str(self._root / "root.pem"),
            "SVCUID": "0123456789ABCDEF",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "0123456789ABCDEF",
            **self._more,
        }

    def _interpreters(self) -> Path:
        """`python3.N` of this process, as a device has it on its PATH."""
        folder = self._root / "bin"
        link = folder / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        if not link.exists():
            folder.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self._python.resolve())
        return folder
