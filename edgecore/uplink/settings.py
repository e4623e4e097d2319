"""What ``GGCloudSpooler`` in the group says about the spool (facts: developer guide, gg-core)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contract.limits import SPOOLER_MIN_BYTES
from edgecore.core.group import Group

Policy = Literal["drop_oldest", "refuse"]

SPOOLER_ARN_PREFIX = "arn:aws:lambda:::function:GGCloudSpooler"
DEFAULT_MAX_BYTES = 2_500_000
"""V1's default: 2.5 MB."""


@dataclass(frozen=True, kw_only=True)
class SpoolSettings:
    """``durable`` False is V1's ``Memory``: lost at every restart and deployment."""

    durable: bool = False
    max_bytes: int = DEFAULT_MAX_BYTES
    policy: Policy = "drop_oldest"


def spool_settings(group: Group) -> SpoolSettings:
    """Read the group's spooler function; V1's defaults where there is none.

    Raises ``ValueError`` for what V1's core refuses to start with.
    """
    function = next((f for f in group.functions if f.arn.startswith(SPOOLER_ARN_PREFIX)), None)
    environment = function.environment if function is not None else {}
    storage = environment.get("GG_CONFIG_STORAGE_TYPE", "Memory")
    if storage not in ("Memory", "FileSystem"):
        raise ValueError(
            f"GGCloudSpooler: GG_CONFIG_STORAGE_TYPE is {storage!r}; use Memory or FileSystem"
        )
    size = environment.get("GG_CONFIG_MAX_SIZE_BYTES", str(DEFAULT_MAX_BYTES))
    if not size.isascii() or not size.isdigit() or int(size) < SPOOLER_MIN_BYTES.value:
        raise ValueError(
            f"GGCloudSpooler: GG_CONFIG_MAX_SIZE_BYTES is {size!r};"
            f" give a whole number of at least {SPOOLER_MIN_BYTES.value}"
        )
    return SpoolSettings(durable=storage == "FileSystem", max_bytes=int(size))
