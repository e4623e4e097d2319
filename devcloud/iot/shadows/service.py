"""Shadows of one region: what a request on a topic or by the API does, and whom it tells."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from devcloud.iot.shadows.document import Shadow, ShadowRefused, apply, deleted, parse

Tell = Callable[[str, dict[str, Any]], None]
"""Publish a message of the service's own: topic and JSON."""
Key = tuple[str, str | None]


def prefix(thing: str, name: str | None) -> str:
    return f"$aws/things/{thing}/shadow/" + (f"name/{name}/" if name else "")


def place_of(rest: str) -> tuple[str | None, str]:
    """(shadow name, verb) of what follows `$aws/things/THING/shadow/`."""
    levels = rest.split("/")
    if levels[0] == "name" and len(levels) >= 3:
        return levels[1], "/".join(levels[2:])
    return None, rest


class Shadows:
    """Documents in memory; every method may be called from any thread."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._shadows: dict[Key, Shadow] = {}
        self._lock = threading.RLock()

    def request(self, thing: str, rest: str, payload: bytes) -> bool:
        """One request over MQTT; False where the topic is none of a request."""
        name, verb = place_of(rest)
        if verb not in ("get", "update", "delete"):
            return False
        token = _token(payload)
        try:
            getattr(self, f"_mqtt_{verb}")(thing, name, payload, token)
        except ShadowRefused as error:
            said: dict[str, Any] = {"code": error.code, "message": str(error)}
            self._publish(thing, name, f"{verb}/rejected", said, token)
        return True

    def get(self, thing: str, name: str | None) -> dict[str, Any]:
        """Raises ShadowRefused (404)."""
        with self._lock:
            found = self._shadows.get((thing, name), Shadow())
        if found.deleted:
            what = f"'{name}' of thing" if name else "of thing"
            raise ShadowRefused(404, f"No shadow exists with name: {what} {thing}")
        return {**found.content(), "timestamp": int(time.time())}

    def update(self, thing: str, name: str | None, payload: bytes) -> dict[str, Any]:
        """Tells `accepted`, `documents` and `delta`; returns what was accepted."""
        request, now = parse(payload), int(time.time())
        with self._lock:
            done = apply(self._shadows.get((thing, name), Shadow()), request, now)
            self._shadows[thing, name] = done.shadow
            token = request.get("clientToken")
            self._publish(thing, name, "update/accepted", done.accepted, token)
            if done.delta is not None:
                self._publish(thing, name, "update/delta", done.delta, token)
            self._publish(thing, name, "update/documents", done.documents, token)
        return {**done.accepted, "timestamp": now}

    def delete(self, thing: str, name: str | None, token: str | None = None) -> dict[str, Any]:
        with self._lock:
            found = self._shadows.get((thing, name), Shadow())
            if found.deleted:
                raise ShadowRefused(404, f"No shadow exists of thing {thing}")
            self._shadows[thing, name] = gone = deleted(found)
        said = {"version": gone.version - 1}
        self._publish(thing, name, "delete/accepted", said, token)
        return {**said, "timestamp": int(time.time())}

    def names(self, thing: str) -> list[str]:
        with self._lock:
            known = list(self._shadows.items())
        return [n for (of, n), shadow in known if of == thing and n and not shadow.deleted]

    def _mqtt_get(self, thing: str, name: str | None, _payload: bytes, token: Any) -> None:
        found = self.get(thing, name)
        self._publish(thing, name, "get/accepted", found, token)

    def _mqtt_update(self, thing: str, name: str | None, payload: bytes, _token: Any) -> None:
        self.update(thing, name, payload)

    def _mqtt_delete(self, thing: str, name: str | None, _payload: bytes, token: Any) -> None:
        self.delete(thing, name, token)

    def _publish(
        self, thing: str, name: str | None, verb: str, message: dict[str, Any], token: Any
    ) -> None:
        more = {} if token is None else {"clientToken": token}
        body = {**message, "timestamp": int(time.time()), **more}
        self._tell(prefix(thing, name) + verb, body)


def _token(payload: bytes) -> Any:
    try:
        found = json.loads(payload or b"{}")
        return found.get("clientToken") if isinstance(found, dict) else None
    except ValueError:
        return None
