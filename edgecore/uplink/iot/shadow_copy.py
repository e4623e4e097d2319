"""One thing's shadow in two places: what to ask the cloud, what to change here. Pure.

The cloud numbers the versions; an answer or a notice with a version that is not the next one
makes this side ask for the whole document. One update is under way at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from edgecore.uplink.iot.shadow_merge import SECTIONS, merged, patched

Json = dict[str, Any]
Ask = tuple[str, Json]
"""Operation (``get``, ``update``, ``delete``) and request document."""

CONFLICT, MISSING, TOO_MANY, FAULT = 409, 404, 429, 500


@dataclass
class ShadowCopy:
    """``base``: the state on which both sides last agreed; None: never."""

    base: Json | None = None
    version: int = 0
    cloud: Json = field(default_factory=dict)
    known: bool = False
    """Whether ``cloud`` is the cloud's state at ``version``: since the last ``get``."""
    token: str | None = None
    problem: str | None = None
    _tokens: int = 0

    def connected(self) -> Ask:
        self.known, self.token = False, None
        return "get", {}

    def get_accepted(self, document: Json) -> None:
        self.cloud = _state(document.get("state"))
        self.version = int(document.get("version") or 0)
        self.known, self.token, self.problem = True, None, None

    def get_rejected(self, code: int, message: str) -> None:
        if code == MISSING:
            self.cloud, self.version, self.known = {}, 0, True
        else:
            self.problem = f"{message} ({code})"

    def update_accepted(self, document: Json) -> bool:
        """Whether the cloud is to be asked for the whole document."""
        version = int(document.get("version") or 0)
        if self.token is not None and document.get("clientToken") == self.token:
            self.token = None
        if version <= self.version:
            return False
        if not self.known or version != self.version + 1:
            return True
        self.version = version
        state = document.get("state") or {}
        for section in SECTIONS:
            if section not in state:
                continue
            change = state[section]
            self.cloud[section] = {} if change is None else patched(
                self.cloud.get(section) or {}, change
            )  # fmt: skip
        return False

    def update_rejected(self, document: Json) -> bool:
        """Whether the cloud is to be asked for the whole document."""
        if document.get("clientToken") != self.token or self.token is None:
            return False
        self.token = None
        code = int(document.get("code") or FAULT)
        self.problem = f"{document.get('message', 'rejected')} ({code})"
        return code in (CONFLICT, MISSING)

    def deleted_in_cloud(self, version: int) -> None:
        self.cloud, self.version, self.known = {}, max(version, self.version), True

    def settle(self, here: Json) -> tuple[Ask | None, Json]:
        """What to ask the cloud now, and the patch for here. ``here``: this side's state."""
        if not self.known or self.token is not None:
            return None, {}
        to_cloud, to_here = merged(self.base or {}, here, self.cloud)
        self.base = {s: self.cloud.get(s) or {} for s in SECTIONS}
        if not to_cloud:
            return None, to_here
        self._tokens += 1
        self.token = f"fanfold-{self._tokens}"
        ask: Json = {"state": to_cloud, "clientToken": self.token}
        if self.version:
            ask["version"] = self.version
        return ("update", ask), to_here

    def dump(self) -> str:
        return json.dumps({"base": self.base, "version": self.version})

    @classmethod
    def load(cls, text: str) -> ShadowCopy:
        """Raises ``ValueError``, ``TypeError`` or ``AttributeError`` for what is none."""
        found = json.loads(text)
        base = found.get("base")
        return cls(base=_state(base) if base is not None else None)


def _state(state: Any) -> Json:
    given = state if isinstance(state, dict) else {}
    return {s: given.get(s) if isinstance(given.get(s), dict) else {} for s in SECTIONS}
