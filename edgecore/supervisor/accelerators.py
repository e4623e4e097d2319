"""Which cards a function is given: the core turns `GPU_ID` into a UUID, on the host, where every
card is seen. Where it cannot, the function does it itself and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import contract
from contract.accelerators.cards import Inventory, from_json, parse_gpu_id
from contract.accelerators.choosing import (
    UUID_VARIABLE,
    UUIDS_VARIABLE,
    VISIBLE,
    Choice,
    assigned_uuid,
    choose,
)
from contract.accelerators.files import slice_files
from edgecore.core.group import Function

ASK_TIMEOUT_S = 30.0
"""Without its persistence daemon the driver takes seconds to wake eight cards."""
REMEMBERED_S = 60.0
ROLE = "FANFOLD_ROLE"
"""Only Fanfold's own functions are written for one card at ordinal 0: somebody else's, such as the
article's, pass GPU_ID to CUDA themselves."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """Of one function. `devices` None: its own, as the group document lists them."""

    environment: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] | None = None
    findings: tuple[str, ...] = ()


NOTHING = Given()


class Accelerators:
    """Asks the driver in a process of its own, as it may hang or crash, and keeps the answer."""

    def __init__(self) -> None:
        self._found = Inventory()
        self._asked_at: float | None = None
        self._lock = asyncio.Lock()

    async def given(self, function: Function) -> Given:
        wanted = _wanted(function.environment)
        if not wanted:
            return NOTHING
        return given(function, wanted, await self._inventory())

    async def _inventory(self) -> Inventory:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._asked_at is None or now - self._asked_at > REMEMBERED_S:
                self._found = await ask()
                self._asked_at = now
            return self._found


async def ask() -> Inventory:
    """The machine's cards; none, with a remark, where the driver does not answer."""
    package = str(Path(contract.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package}
    environment.pop(VISIBLE, None)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "contract.accelerators",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        answer, _ = await asyncio.wait_for(process.communicate(), ASK_TIMEOUT_S)
        return from_json(json.loads(answer))
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return Inventory(remarks=(f"the NVIDIA driver did not answer within {ASK_TIMEOUT_S:g} s",))
    except (ValueError, KeyError, TypeError):
        text = f"asking the NVIDIA driver for its cards ended with {process.returncode}"
        return Inventory(remarks=(text,))


def given(function: Function, wanted: Sequence[str], inventory: Inventory) -> Given:
    """What a function gets for its `GPU_ID`, or a pool for its several. Pure, but for MIG's files.

    An index that cannot be resolved is a finding: the function knows whether it matters.
    """
    if not inventory.cards:
        return Given(findings=inventory.remarks)
    told = function.environment
    try:
        choices = [
            choose(
                parse_gpu_id(each),
                inventory.cards,
                told.get(UUID_VARIABLE, "") or assigned_uuid(each, told),
                told.get(VISIBLE),
            )
            for each in wanted
        ]
    except ValueError as error:
        return Given(findings=(f"function {function.id}: {error}", *inventory.remarks))
    return Given(
        environment=_environment(function, choices),
        devices=_devices(choices),
        findings=inventory.remarks,
    )


def _wanted(environment: Mapping[str, str]) -> list[str]:
    """Values of GPU_ID that mean a card; none: the function is on the CPU, or is not Fanfold's."""
    if ROLE not in environment:
        return []
    listed = environment.get("FANFOLD_GPU_IDS") or environment.get("GPU_ID", "")
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    return [] if "auto" in parts else [part for part in parts if not part.startswith("-")]


def _environment(function: Function, choices: Sequence[Choice]) -> dict[str, str]:
    """A pool's processes choose theirs one by one: it is told the UUIDs and left all cards."""
    uuids = [choice.uuid for choice in choices]
    if "FANFOLD_GPU_IDS" in function.environment:
        return {UUIDS_VARIABLE: ",".join(uuids)} if all(uuids) else {}
    [choice] = choices
    return {**choice.environment, **({UUID_VARIABLE: choice.uuid} if choice.uuid else {})}


def _devices(choices: Sequence[Choice]) -> tuple[str, ...] | None:
    files: list[str] = []
    for choice in choices:
        card, part = choice.card, choice.slice
        if card is None or card.minor is None:
            return None
        files.append(f"/dev/nvidia{card.minor}")
        files += slice_files("/", card, part) if part is not None else []
    return tuple(dict.fromkeys(files))
