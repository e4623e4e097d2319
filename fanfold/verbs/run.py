"""`fanfold run SITE`: start the embedded core with a site's group."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import typer

from fanfold.common.project import (
    core_state,
    read_site,
    remember_site,
)
from fanfold.device.interpreters import RUNTIME, device_python
from fanfold.localcore.starting import deployed_group, environment, local_group, start
from fanfold.localcore.volumes import lock_volume, make_volume


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    site: str = typer.Argument(help="A site's name."),
    group: str | None = typer.Option(
        None,
        help="A cloud assembly, template, group document, on-device group.json or "
        "greengrass:NAME. Default: the deployed group of the development cloud.",
    ),
    model: Path | None = typer.Option(
        None, help="Without any cloud: plan the site here and run it with this model package."
    ),
    detach: bool = typer.Option(False, "--detach", "-d", help="Return when the core is ready."),
    mqtt_plain_port: int = typer.Option(1883, help="Loopback broker; 0: any free port."),
    mqtt_port: str = typer.Option("off", help="Broker with TLS and client certificates."),
    ipc_port: int = typer.Option(8000, help="Greengrass IPC; 0: any free port."),
    http_port: int = typer.Option(8080, help="Dashboard, metrics, status; 0: any free port."),
    isolation: str = typer.Option("auto", help="For functions that are declared with a container."),
    fault_plan: Path | None = typer.Option(
        None, "--fault-plan", "--faults", help="Fault injection, to test with: kill, drop, delay…"
    ),
    poll_s: float = typer.Option(
        2.0, help="Seconds between checks for a newer deployment; 0: never."
    ),
    doctor: bool = typer.Option(True, help="Show `fanfold doctor`'s findings on the dashboard."),
    read_only: bool = typer.Option(False, help="The dashboard offers no actions."),
) -> None:
    """Run a site's group on this machine, with no AWS account.

    Example: fanfold run demo --detach
    """
    settings, _ = read_site(site)
    state = core_state(settings.name)
    remember_site(state, site)
    if model and not group:
        source = str(local_group(site, model, state, tls=mqtt_port != "off"))
    else:
        source = group or deployed_group(settings.name)
    for folder in (settings.volumes.images, settings.volumes.state):
        make_volume(Path(folder))
    held = lock_volume(Path(settings.volumes.state), inherit=True)
    command = [sys.executable, "-m", "edgecore", "--group", source, "--state", str(state)]
    command += ["--mqtt-plain-port", str(mqtt_plain_port), "--mqtt-port", mqtt_port]
    command += ["--ipc-port", str(ipc_port), "--http-port", str(http_port)]
    command += ["--isolation", isolation, "--poll-s", str(poll_s)]
    if doctor:
        checks = [sys.executable, "-m", "fanfold", "doctor", site, "--json"]
        command += ["--doctor", shlex.join(checks)]
    if read_only:
        command.append("--read-only")
    if fault_plan:
        command += ["--fault-plan", str(fault_plan)]
    if python := device_python():
        command += ["--python", f"{RUNTIME}={python}"]
    variables = environment()
    if variables.get("AWS_ENDPOINT_URL"):
        command += ["--cloud", "iot"]
    if not detach:
        os.execve(command[0], command, variables)  # noqa: S606 - the core takes our place
    try:
        start(command, variables, state, held)
    finally:
        os.close(held)
