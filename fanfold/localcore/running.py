"""Finding a core that runs on this machine, and asking it things over loopback HTTP."""

from __future__ import annotations

import getpass
import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.topics import Topics
from edgecore.disk.process_mark import is_same_process
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.output import note
from fanfold.common.project import core_state, state_dir

TIMEOUT_S = 5
TOKEN_HEADER = "X-Fanfold-Token"  # noqa: S105 - a name


@dataclass(frozen=True)
class RunningCore:
    """What `core.json` says of a core whose process is there."""

    state: Path
    info: dict[str, Any]

    @property
    def pid(self) -> int:
        return int(self.info["pid"])

    def alive(self) -> bool:
        """Whether its process is there, and still that process."""
        return isinstance(self.info, dict) and is_same_process(self.info)

    def port(self, name: str) -> int | None:
        """`ipc`, `mqtt`, `mqtt_plain` or `http`; None where the core does not listen."""
        port = self.info["ports"].get(name)
        return int(port) if port else None

    def get(self, path: str) -> Any:
        """GET a JSON page of the core; raises UserError when it does not answer."""
        answer = self.find(path)
        if answer is None:
            raise UserError(f"the core answered 404 to GET {path}")
        return answer

    def find(self, path: str) -> Any | None:
        """GET a JSON page that may not be there (404): None then."""
        status, body = self._request("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise UserError(f"the core answered {status} to GET {path}: {body[:200]!r}")
        return json.loads(body)

    def act(self, action: str, body: dict[str, Any]) -> str:
        """POST one of the core's actions; its answer in words. Raises UserError: refused."""
        return str(self.act_whole(action, body)["message"])

    def act_whole(
        self,
        action: str,
        body: dict[str, Any],
        *,
        within_s: float = TIMEOUT_S,
        fine: tuple[int, ...] = (200,),
    ) -> dict[str, Any]:
        """The whole answer, for statuses that are ``fine``. Raises UserError."""
        headers = {"Content-Type": "application/json", TOKEN_HEADER: str(self.info["token"])}
        headers["X-Fanfold-User"] = person()
        text = json.dumps(body).encode()
        path = f"/api/actions/{action}"
        status, content = self._request("POST", path, text, headers, within_s)
        try:
            answer = {**json.loads(content)}
            message = str(answer["message"])
        except (ValueError, KeyError, TypeError):
            message = f"the core answered {status} to {action}: {content[:200]!r}"
            raise UserError(message) from None
        if status not in fine:
            raise UserError(message)
        return answer

    def ready(self) -> bool:
        """Whether every function can take work, or does not by wish (drained), as /ready says."""
        try:
            _, body = self._request("GET", "/ready")
            return all(
                r["requested"] or r["lasting"] for r in json.loads(body)["reasons"] if r["gate"]
            )
        except (UserError, ValueError, KeyError):
            return False

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        within_s: float = TIMEOUT_S,
    ) -> tuple[int, bytes]:
        port = self.port("http")
        connection = http.client.HTTPConnection("127.0.0.1", port or 0, timeout=within_s)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        except OSError as error:
            raise UserError(
                f"the core (pid {self.pid}) does not answer on port {port}: {error}. "
                f"See {self.state / 'logs'}."
            ) from error
        finally:
            connection.close()


def person() -> str:
    """Whose shell this is, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a uid without a name
        return f"uid-{os.getuid()}"


def topics_of(core: RunningCore) -> Topics:
    """Topics of the site that this core runs."""
    group = str(core.info["group"])
    try:
        return Topics(group)
    except ValueError as error:
        what = f"the running group {group!r} is no Fanfold site ({error})"
        raise UserError(f"{what}: use an MQTT client on its own topics.", INVALID) from None


def find(site: str | None) -> RunningCore:
    """The running core of a site, or the only one there is.

    Raises UserError (exit code 3) when none runs or when the choice is not clear.
    """
    running = [core for core in (read(core_state(site)),) if core] if site else all_running()
    if len(running) == 1:
        return running[0]
    if running:
        names = ", ".join(core.state.name for core in running)
        raise UserError(f"several cores are running here: {names}. Pass the site.", MISSING)
    what = f"no core of site {site!r} is running here" if site else "no core is running here"
    others = ", ".join(core.state.name for core in all_running())
    others = f"; running: {others}" if others else ""
    start = f"fanfold run {site or 'SITE'}"
    raise UserError(
        f"{what} (looked below {state_dir() / 'core'}{others}). Start it: {start}", MISSING
    )


def state_of(site: str | None) -> Path:
    """The state directory of the core that runs, else of the one that ran here.

    Raises UserError (exit code 3) when there is none or when the choice is not clear.
    """
    try:
        return find(site).state
    except UserError:
        left = [core_state(site)] if site else sorted((state_dir() / "core").glob("*"))
        there = [state for state in left if (state / "logs").is_dir()]
        if len(there) > 1 and not all_running():
            names = ", ".join(state.name for state in there)
            said = f"no core runs, and several ran here: {names}. Pass the site."
            raise UserError(said, MISSING) from None
        if len(there) != 1:
            raise
        note(f"no core runs; this is of {there[0].name}'s last run")
        return there[0]


def all_running() -> list[RunningCore]:
    """Every core that runs below this state directory, by name."""
    states = sorted(path.parent for path in (state_dir() / "core").glob("*/core.json"))
    return [core for state in states if (core := read(state))]


def read(state: Path) -> RunningCore | None:
    """The core whose state directory this is, if its process is there: that one, and not another
    that has its number since a power cut."""
    try:
        info = json.loads((state / "core.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    core = RunningCore(state, info)
    return core if core.alive() else None
