"""The group's secrets: from a file or Secrets Manager into the store, and out to functions."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract.nesting import json_of
from edgecore.core.group import Group, SecretResource
from edgecore.core.options import CoreError
from edgecore.core.secrets import SecretValue, answer, from_file
from edgecore.disk.secret_store import SecretStore
from edgecore.uplink.secrets_manager import SecretAway, fetch

log = logging.getLogger(__name__)

WAIT_S = 10.0
"""How long a function waits for a secret that is being fetched."""
MAX_FILE_BYTES = 1 << 20
ClientMaker = Callable[[], Any]
"""A boto3 client of Secrets Manager; blocking."""


class SecretKeeper:
    """Outlives the groups; ``use`` for each that runs, before its functions start."""

    def __init__(self, state: Path, file: Path | None) -> None:
        self._store, self._file = SecretStore(state / "secrets"), file
        self._group: Group | None = None
        self._values: dict[str, list[SecretValue]] = {}
        self._problems: dict[str, str] = {}
        self._fetching: asyncio.Task[None] | None = None

    def use(self, group: Group, client: ClientMaker | None) -> None:
        """Raises CoreError for an unusable ``--secrets`` file. ``client`` None: not joined."""
        self._group, self._problems = group, {}
        if self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None
        if not group.secrets:
            return
        wanted = {resource.arn for resource in group.secrets}
        self._take([v for v in self._store.read() if v.arn in wanted])
        given = given_secrets(self._file, group) if self._file is not None else []
        self._take(given)
        self._keep()
        rest = [r for r in group.secrets if r.arn not in {v.arn for v in given}]
        if client is not None and rest:
            self._fetching = asyncio.ensure_future(self._fetch(rest, client))

    async def answer(self, function_arn: str, request: bytes) -> bytes:
        """As V1's secret manager; waits for a fetch that is under way."""
        if self._fetching is not None and not self._fetching.done():
            await asyncio.wait({self._fetching}, timeout=WAIT_S)
        group = self._group
        if group is None:
            return answer(request, None, (), ())
        function = next((f for f in group.functions if f.arn == function_arn), None)
        held = [value for versions in self._values.values() for value in versions]
        return answer(request, function, group.secrets, held)

    def findings(self) -> list[str]:
        """One sentence for each secret without a value here."""
        resources = self._group.secrets if self._group else ()
        fetching = self._fetching is not None and not self._fetching.done()
        without = [r for r in resources if r.arn not in self._values and not fetching]
        unsaid = [no_value(r) for r in without if r.arn not in self._problems]
        return [*self._problems.values(), *unsaid]

    def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()

    def _take(self, values: list[SecretValue]) -> None:
        for arn in {value.arn for value in values}:
            self._values[arn] = [value for value in values if value.arn == arn]

    def _keep(self) -> None:
        values = [value for versions in self._values.values() for value in versions]
        try:
            if values:
                self._store.write(values)
        except OSError as error:
            log.warning("the secrets are not kept for the next start: %s", error)

    async def _fetch(self, resources: list[SecretResource], client: ClientMaker) -> None:
        def all_of_them() -> None:
            made = client()
            for resource in resources:
                try:
                    self._take(fetch(made, resource))
                except SecretAway as away:
                    self._problems[resource.arn] = str(away) + (
                        "; the version of an earlier start is used"
                        if resource.arn in self._values
                        else ""
                    )
                    log.warning("%s", self._problems[resource.arn])

        await asyncio.to_thread(all_of_them)
        self._keep()


def no_value(resource: SecretResource) -> str:
    return (
        f"secret {resource.name}: has no value here, get_secret_value raises SecretsManagerError; "
        "give it with --secrets FILE, or join AWS IoT with a role that may read it"
    )


def given_secrets(file: Path, group: Group) -> list[SecretValue]:
    """Those of the group's that ``--secrets FILE`` has. Raises CoreError."""
    try:
        return from_file(_read_private(file), group.secrets)
    except ValueError as error:
        raise CoreError(f"--secrets {file}: {error}", exit_code=2) from None


def _read_private(path: Path) -> Any:
    """The JSON of a file that only its owner reads. Raises CoreError, or ValueError: no JSON."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise CoreError(
                f"--secrets {path}: others may read it (mode {mode:04o}); chmod 600 {path}",
                exit_code=2,
            )
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CoreError(f"--secrets {path}: larger than 1 MiB", exit_code=2)
        content = path.read_bytes()
    except OSError as error:
        raise CoreError(f"--secrets {path}: {os.strerror(error.errno or 0)}") from error
    try:
        return json_of(content)
    except ValueError:
        raise ValueError('is not JSON; expected {"NAME": "VALUE"}') from None
