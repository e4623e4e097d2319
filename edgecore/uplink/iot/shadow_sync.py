"""Classic shadows of things with ``SyncShadow``, kept the same here and in AWS IoT.

What both sides agreed on last is kept on disk (``shadows/sync/{thing}.json``), so changes on
either side while there was no connection, or no core, meet in a three-way merge.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

from edgecore.core.group import Group
from edgecore.core.shadows import ShadowService
from edgecore.uplink.iot.link import Link, Listener
from edgecore.uplink.iot.shadow_copy import Ask, Json, ShadowCopy
from edgecore.uplink.iot.waiting import set_within

log = logging.getLogger(__name__)

STEP_S = 1.0
"""At most one update of a shadow a second: AWS counts requests per shadow."""
ASK_AGAIN_S = 20.0
MAX_SYNCED = 20
"""Two filters a thing, of the 50 that a connection may have."""
_TOPIC = re.compile(r"\$aws/things/([^/]+)/shadow/(get|update|delete)/(accepted|rejected)\Z")
OWN_TOKEN = "from-the-cloud"  # noqa: S105 - marks an update, grants nothing


class ShadowSync:
    """``show`` the group that runs; ``changed_here`` for all that its shadow service says."""

    def __init__(self, link: Link, folder: Path) -> None:
        self._link, self._folder = link, folder
        self._here: ShadowService | None = None
        self._copies: dict[str, ShadowCopy] = {}
        self._listeners: list[Listener] = []
        self._asked_at: dict[str, float] = {}
        self._left_out: list[str] = []
        self._wake = asyncio.Event()
        self._connection: object = None
        link.watch(self._wake.set)

    async def show(self, group: Group, here: ShadowService) -> None:
        """Synchronise what this group wants synchronised."""
        wanted = [t.thing_name for t in (group.core, *group.devices) if t.sync_shadow]
        things, self._left_out = wanted[:MAX_SYNCED], wanted[MAX_SYNCED:]
        if self._left_out:
            log.error("shadows: at most %d things are synchronised; not %s: set SyncShadow for "
                "fewer", MAX_SYNCED, ", ".join(self._left_out))  # fmt: skip
        self._here = here
        for listener in self._listeners:
            await self._link.leave(listener)
        self._copies = {t: self._copies.get(t) or self._load(t) for t in things}
        self._listeners = []
        for thing in things:
            prefix = f"$aws/things/{thing}/shadow/+"
            filters = (f"{prefix}/accepted", f"{prefix}/rejected")
            self._listeners.append(await self._link.listen(filters, self._arrived))
        self._connection = None  # ask anew for all of them
        self._wake.set()

    def changed_here(self, topic: str, payload: bytes) -> None:
        """A publication of this core's shadow service."""
        found = _TOPIC.match(topic)
        if found is None or found[1] not in self._copies or found[3] != "accepted":
            return
        if found[2] == "delete":
            self._copies[found[1]].base = None
            asyncio.ensure_future(self._ask(found[1], ("delete", {})))  # noqa: RUF006
        elif found[2] == "update" and _object(payload).get("clientToken") != OWN_TOKEN:
            self._wake.set()

    def status(self) -> dict[str, Any]:
        return {
            "things": {
                thing: {"version": copy.version, "known": copy.known, "problem": copy.problem}
                for thing, copy in self._copies.items()
            },
            "left_out": list(self._left_out),
        }

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await set_within(self._wake, ASK_AGAIN_S)
            self._wake.clear()
            if self._link.session is None:
                continue
            if self._connection is not self._link.session:
                self._connection = self._link.session
                for thing, copy in self._copies.items():
                    await self._ask(thing, copy.connected())
            for thing in list(self._copies):
                await self._settle(thing)
            await asyncio.sleep(STEP_S)

    async def _settle(self, thing: str) -> None:
        copy = self._copies[thing]
        now = asyncio.get_running_loop().time()
        if not copy.known or copy.token is not None:
            if now - self._asked_at.get(thing, now) >= ASK_AGAIN_S:
                await self._ask(thing, copy.connected())
            return
        if self._here is None:
            return
        document = self._here.document(thing)
        state = document["state"] if document else {}
        ask, to_here = copy.settle(state)
        if to_here:
            change = {"state": to_here, "clientToken": OWN_TOKEN}
            self._here.invoke(f"$aws/things/{thing}/shadow/update", json.dumps(change).encode())
        self._keep(thing)
        if ask is not None:
            await self._ask(thing, ask)

    async def _ask(self, thing: str, ask: Ask) -> None:
        operation, document = ask
        self._asked_at[thing] = asyncio.get_running_loop().time()
        body = json.dumps(document).encode() if document else b"{}"
        await self._link.send(f"$aws/things/{thing}/shadow/{operation}", body)

    def _arrived(self, topic: str, payload: bytes) -> None:
        found = _TOPIC.match(topic)
        copy = self._copies.get(found[1]) if found else None
        if found is None or copy is None:
            return
        document = _object(payload)
        if self._learn(copy, found[2], found[3], document):
            asyncio.ensure_future(self._ask(found[1], copy.connected()))  # noqa: RUF006
        self._wake.set()

    def _learn(self, copy: ShadowCopy, operation: str, outcome: str, document: Json) -> bool:
        """Whether the whole document is to be asked for."""
        if operation == "delete":
            if outcome == "accepted":
                copy.deleted_in_cloud(int(document.get("version") or 0))
            return False
        if operation == "get":
            if outcome == "accepted":
                copy.get_accepted(document)
            else:
                copy.get_rejected(int(document.get("code") or 0), str(document.get("message")))
            return False
        if outcome == "accepted":
            return copy.update_accepted(document)
        return copy.update_rejected(document)

    def _file(self, thing: str) -> Path:
        return self._folder / f"{thing.replace(':', '%3A')}.json"

    def _load(self, thing: str) -> ShadowCopy:
        try:
            return ShadowCopy.load(self._file(thing).read_text())
        except (OSError, ValueError, TypeError, AttributeError):
            return ShadowCopy()

    def _keep(self, thing: str) -> None:
        text, file = self._copies[thing].dump(), self._file(thing)
        try:
            if file.exists() and file.read_text() == text:
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_suffix(".new")
            beside.write_text(text)
            beside.replace(file)
        except OSError as error:
            log.warning("shadow of %s: %s; what was agreed on is not kept", thing, error.strerror)


def _object(payload: bytes) -> Json:
    try:
        value = json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
