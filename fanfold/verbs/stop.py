"""`fanfold stop`: end a core that runs in the background."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import typer

from fanfold.common import output
from fanfold.common.arguments import RUNNING_SITE
from fanfold.common.errors import UserError
from fanfold.localcore import running
from fanfold.localcore.audited import noted


def register(app: typer.Typer) -> None:
    app.command("stop")(stop)


def stop(
    site: str | None = RUNNING_SITE,
    wait_s: float = typer.Option(
        30, "--wait-s", "--timeout-s", min=0, help="Seconds to wait for its functions to end."
    ),
    as_json: bool = typer.Option(False, "--json", help="What was stopped, as one JSON object."),
) -> None:
    """Stop a running core; its functions can finish first.

    Example: fanfold stop demo
    """
    core = running.find(site)
    noted(core.state, "stop", {"pid": core.pid})
    with contextlib.suppress(ProcessLookupError):
        os.kill(core.pid, signal.SIGTERM)
    with output.working(f"core {core.state.name} is stopping its functions"):
        ended = _ended(core, wait_s)
    if as_json:
        output.print_json({"v": 1, "site": core.state.name, "pid": core.pid, "stopped": ended})
    if ended:
        output.note(f"core {core.state.name} (pid {core.pid}) stopped")
        return
    raise UserError(
        f"core {core.state.name} (pid {core.pid}) still runs after {wait_s:g} s. "
        f"Wait, or end it: kill -9 {core.pid} (nothing accepted is lost)."
    )


def _ended(core: running.RunningCore, wait_s: float) -> bool:
    """Whether it did in time."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(core.pid, os.WNOHANG)  # where the caller started it: do not keep a zombie
        if not core.alive():
            return True
        time.sleep(0.05)
    return False
