"""``core.json``: how the command line and the launcher find this core.

A disk without room for it ends no core: images are inspected meanwhile, and the file is there as
soon as there is room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecore.deploy.interfaces import begun, ended
from edgecore.disk.space import is_full
from edgecore.disk.state_files import remove_core_json, write_core_json

AGAIN_S = 1.0

log = logging.getLogger(__name__)


class Facts:
    """``show`` whenever another group runs; ``close`` at the end."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._facts: Mapping[str, Any] = {}
        self._trying: asyncio.Task[None] | None = None

    def show(self, facts: Mapping[str, Any]) -> None:
        """Raises OSError for another reason than a full disk."""
        self._facts = facts
        if self._trying is not None or self._written():
            return
        log.warning(
            "%s: core.json cannot be written, so that neither fanfold nor the launcher finds this "
            "core; free space there; tried again", self._state,
        )  # fmt: skip
        remove_core_json(self._state)  # a core's before this one
        self._trying = begun(self._until_written())

    async def _until_written(self) -> None:
        while not self._written():
            await asyncio.sleep(AGAIN_S)
        self._trying = None

    def _written(self) -> bool:
        try:
            write_core_json(self._state, self._facts)
        except OSError as error:
            if not is_full(error):
                raise
            return False
        return True

    async def close(self) -> None:
        await ended(self._trying)
        remove_core_json(self._state)
