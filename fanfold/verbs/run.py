"""`fanfold run SITE`: start the embedded core with a site's group."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from fanfold.common.errors import MISSING, UserError
from fanfold.common.project import core_state, read_site, remember_site, state_dir
from fanfold.device.interpreters import RUNTIME, device_python
from fanfold.localcore.starting import deployed_group, environment, local_group, start
from fanfold.localcore.volumes import lock_volume, make_volume
from fanfold.provision.joining import join_file
from infra.planning import Site


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
    join: Path | None = typer.Option(
        None, help="Target iot: the device's join file. Default: the one provisioned here."
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
        source = group or _default_source(settings)
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
    if settings.target == "iot":
        command += ["--cloud", "iot", "--join", str(_join_file(settings, join))]
        variables = without_keys(variables)
    elif variables.get("AWS_ENDPOINT_URL"):
        command += ["--cloud", "iot", "--lend-static-credentials"]
    if not detach:
        os.execve(command[0], command, variables)  # noqa: S606 - the core takes our place
    try:
        start(command, variables, state, held)
    finally:
        os.close(held)


def _default_source(settings: Site) -> str:
    """Target iot: what a job brings; else the group that is deployed."""
    return "jobs" if settings.target == "iot" else deployed_group(settings.name)


def _join_file(settings: Site, given: Path | None) -> Path:
    folder = state_dir() / "certificates" / settings.name
    path = given or join_file(folder, settings.core.thing)
    if not path.is_file():
        raise UserError(
            f"{path}: no join file. Create it: fanfold provision {settings.name}", MISSING
        )
    return path.absolute()


def without_keys(variables: Mapping[str, str]) -> dict[str, str]:
    """A core that has a certificate gets no other credentials."""
    secret = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    return {name: value for name, value in variables.items() if name not in secret}
