"""`fanfold run SITE`: start the embedded core with a site's group."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import typer

from fanfold import output, running
from fanfold.errors import INVALID, MISSING, UserError
from fanfold.inputs import hooks_of
from fanfold.interpreters import RUNTIME, device_python
from fanfold.project import (
    PROJECT,
    core_state,
    read_site,
    remember_site,
    state_dir,
)
from fanfold.provision.local import local_certificates
from fanfold.verbs.devcloud import running_cloud
from fanfold.volumes import lock_volume, make_volume
from infra.packaging import build_lambdas
from infra.planning import check, errors, plan_group, render

START_TIMEOUT_S = 120


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
    isolation: str = typer.Option("auto", help="For functions that ask for a container."),
    fault_plan: Path | None = typer.Option(
        None, "--fault-plan", "--faults", help="Fault injection, to test with: kill, drop, delay…"
    ),
    poll_s: float = typer.Option(2.0, help="How often to ask for a newer deployment; 0: never."),
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
        source = str(_local_group(site, model, state, tls=mqtt_port != "off"))
    else:
        source = group or _deployed(settings.name)
    for folder in (settings.volumes.images, settings.volumes.state):
        make_volume(Path(folder))
    held = lock_volume(Path(settings.volumes.state), inherit=True)
    command = [sys.executable, "-m", "edgecore", "--group", source, "--state", str(state)]
    command += ["--mqtt-plain-port", str(mqtt_plain_port), "--mqtt-port", mqtt_port]
    command += ["--ipc-port", str(ipc_port), "--http-port", str(http_port)]
    command += ["--isolation", isolation, "--poll-s", str(poll_s)]
    if doctor:
        examine = [sys.executable, "-m", "fanfold", "doctor", site, "--json"]
        command += ["--doctor", shlex.join(examine)]
    if read_only:
        command.append("--read-only")
    if fault_plan:
        command += ["--fault-plan", str(fault_plan)]
    if python := device_python():
        command += ["--python", f"{RUNTIME}={python}"]
    environment = _environment()
    if environment.get("AWS_ENDPOINT_URL"):
        command += ["--cloud", "iot"]
    if not detach:
        os.execve(command[0], command, environment)  # noqa: S606 - the core takes our place
    try:
        _start(command, environment, state, held)
    finally:
        os.close(held)


def _environment() -> dict[str, str]:
    """This shell's, pointed at the development cloud where one runs."""
    cloud = running_cloud()
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **(cloud.env() if cloud else {})}


def _deployed(name: str) -> str:
    if running_cloud() is None and not os.environ.get("AWS_ENDPOINT_URL"):
        raise UserError(
            f"no development cloud runs here to pull group {name!r} from. Start one and deploy "
            f"(fanfold devcloud start --bootstrap; fanfold deploy {name}), or run without any "
            f"cloud: fanfold run {name} --model PACKAGE",
            MISSING,
        )
    return f"greengrass:{name}"


def _local_group(site: str, model: Path, state: Path, *, tls: bool) -> Path:
    """The planner's own document, with the Lambdas and the model of this machine."""
    if not model.is_file():
        raise UserError(f"{model}: no such model package", MISSING)
    settings, profile = read_site(site)
    made = plan_group(settings.with_model("s3://local/model.tar.gz"), profile)
    if wrong := errors(check(made)):
        raise UserError("\n".join(map(str, wrong)), INVALID)
    state.mkdir(parents=True, exist_ok=True)
    code = build_lambdas(state / "lambdas.zip", hooks=hooks_of(site, settings.hooks))
    document = with_local_files(render(made), code, model)
    document["Certificates"], without = local_certificates(
        document, state_dir() / "certificates" / settings.name
    )
    if tls and without:
        output.warn(
            f"no certificate for {', '.join(without)}: they cannot connect over TLS. "
            f"Create it: fanfold provision {settings.name}"
        )
    path = state / "planned-group.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def with_local_files(document: dict[str, Any], code: Path, model: Path) -> dict[str, Any]:
    """A rendered group whose code and model are files here instead of AWS's."""
    for entry in document["Lambdas"].values():
        entry["Code"] = str(code.absolute())
    for resource in document["Resources"]:
        data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
        if data:
            data["S3Uri"] = model.absolute().as_uri()
    return document


def _start(command: list[str], environment: dict[str, str], state: Path, held: int) -> None:
    state.mkdir(parents=True, exist_ok=True)
    log = state / "core.out"
    with log.open("wb") as sink:  # the core's own log is rotated and kept; this is its stderr
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            pass_fds=(held,),
        )
    with output.working("starting the core and its functions"):
        core = _wait_ready(process, state, log)
    output.note(
        f"core {core.info['thing']} runs (pid {core.pid}): broker 127.0.0.1:"
        f"{core.port('mqtt_plain')}, dashboard http://127.0.0.1:{core.port('http')}/#token={core.info['token']}"
    )


def _wait_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> running.RunningCore:
    """Until /ready says so; the core's own last words when it ends instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise UserError(f"the core ended with {code}:\n{_tail(log)}", code if code > 0 else 1)
        core = running.read(state)
        if core and core.pid == process.pid and core.ready():
            return core
        time.sleep(0.1)
    process.terminate()
    raise UserError(f"the core was not ready in {START_TIMEOUT_S} s:\n{_tail(log)}")


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
