"""`fanfold run SITE`: start the embedded core with a site's group."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import typer

from fanfold.common import output
from fanfold.common.arguments import SITE
from fanfold.common.boxes import one_box
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.project import core_state, read_site, remember_site, state_dir
from fanfold.device.interpreters import RUNTIME, device_python
from fanfold.localcore import audited
from fanfold.localcore.arguments import CoreOptions, pythons_of
from fanfold.localcore.joining import Joining, cloud_arguments
from fanfold.localcore.listening import Listen
from fanfold.localcore.running import RunningCore
from fanfold.localcore.starting import deployed_group, environment, local_group, start
from fanfold.localcore.volumes import lock_volume, make_volume, volume_owner
from fanfold.provision.joining import join_file
from infra.planning import Site


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    site: str = SITE,
    core: str | None = typer.Option(
        None, help="Of a site with several cores: which of them this machine is."
    ),
    group: str | None = typer.Option(
        None,
        help="A group document, on-device group.json or greengrass:NAME; a template or a cloud "
        "assembly is imported first. Default: the deployed group of the development cloud.",
    ),
    model: Path | None = typer.Option(
        None, help="Without any cloud: plan the site here and run it with this model package."
    ),
    join: Path | None = typer.Option(
        None,
        help="This device's join file: AWS IoT with its certificate, over MQTT. Default with "
        "target iot: the one that was provisioned here.",
    ),
    strict: bool = typer.Option(
        False, help="Refuse a group of --group of which something will not be honoured."
    ),
    runtime_python: list[str] | None = typer.Option(
        None, "--python", help="RUNTIME=PATH: an interpreter, e.g. python2.7=/usr/bin/python2.7."
    ),
    device_certificates: str | None = typer.Option(
        None, help="Folder of certificates for devices that the group only names, or `aws-iot`."
    ),
    secrets: Path | None = typer.Option(
        None, help="JSON file {NAME: VALUE}, mode 0600, with the group's secrets; kept encrypted."
    ),
    detach: bool = typer.Option(False, "--detach", "-d", help="Return when the core is ready."),
    as_json: bool = typer.Option(
        False, "--json", help="With --detach: the core's process and ports as one JSON object."
    ),
    mqtt_plain_port: int = typer.Option(1883, help="Loopback broker; 0: any free port."),
    mqtt_port: str = typer.Option("off", help="Broker with TLS and client certificates."),
    ipc_port: int = typer.Option(8000, help="Greengrass IPC; 0: any free port."),
    http_port: int = typer.Option(8080, help="Dashboard, metrics, status; 0: any free port."),
    isolation: str = typer.Option("auto", help="For functions that are declared with a container."),
    function_user: str = typer.Option(
        "auto",
        help="As whom functions without RunAs run where the core is root: USER[:GROUP], root, or "
        "auto: Greengrass's ggc_user where it exists, else a number of its own where it can live.",
    ),
    insecure_core_user: bool = typer.Option(
        False,
        help="Insecure: ignore RunAs. Functions run as the core's own user and can read its keys.",
    ),
    fault_plan: Path | None = typer.Option(
        None, "--fault-plan", "--faults", help="Fault injection, to test with: kill, drop, delay…"
    ),
    poll_s: float = typer.Option(
        2.0, help="Seconds between checks for a newer deployment; 0: never."
    ),
    doctor: bool = typer.Option(True, help="Show `fanfold doctor`'s findings on the dashboard."),
    read_only: bool = typer.Option(False, help="The dashboard offers no actions."),
    listen: str | None = typer.Option(
        None,
        metavar="ADDRESS:PORT",
        help="Also serve the dashboard on the local network, over TLS, for users of "
        "`fanfold user`, e.g. 0.0.0.0:8443.",
    ),
    no_tls: bool = typer.Option(
        False, "--no-tls", help="With --listen on loopback only: a proxy there speaks TLS."
    ),
    http_name: list[str] | None = typer.Option(
        None, help="Another name that browsers use for this machine."
    ),
    http_certificate: Path | None = typer.Option(
        None, help="PEM certificate for --listen instead of one of the group CA."
    ),
    http_key: Path | None = typer.Option(None, help="Its key."),
    trust_header: str | None = typer.Option(
        None, help="A header in which a proxy names who it signed in, e.g. X-Forwarded-User."
    ),
    trust_from: list[str] | None = typer.Option(
        None, help="Address of that proxy; from others the header is ignored."
    ),
    iot_endpoint: str | None = typer.Option(
        None, help="HOST[:PORT] instead of the join file's, e.g. an endpoint's port 443."
    ),
    iot_proxy: str | None = typer.Option(None, help="http://[USER:PASSWORD@]HOST:PORT"),
    insecure_static_credentials: bool = typer.Option(
        False,
        help="Insecure: every function gets this shell's AWS keys and may do what you may. "
        "With --join a role alias serves instead.",
    ),
) -> None:
    """Run a site's group on this machine, with no AWS account.

    Example: fanfold run demo --detach
    """
    _refuse_json_without_detach(as_json, detach)
    site = one_box(site, core)
    settings, _ = read_site(site)
    state = core_state(settings.name)
    remember_site(state, site)
    joined = _join_file(settings, join)
    variables = environment()
    noted: list[str] = []
    if group:
        source, noted = _from_elsewhere(group, state, variables)
    elif model:
        source = str(local_group(site, model, state, tls=mqtt_port != "off"))
    else:
        source = "jobs" if joined else deployed_group(settings.name)
    pythons = _pythons(runtime_python)
    reached = (*map(Path, pythons.values()), state)
    _make_volumes(settings, function_user, reached, insecure=insecure_core_user)
    held = lock_volume(Path(settings.volumes.state), inherit=True)
    options = CoreOptions(
        source=source, state=state, site=site, mqtt_plain_port=mqtt_plain_port,
        mqtt_port=mqtt_port, ipc_port=ipc_port, http_port=http_port, isolation=isolation,
        function_user=function_user, insecure_core_user=insecure_core_user, poll_s=poll_s,
        doctor=doctor, read_only=read_only, fault_plan=fault_plan, pythons=pythons,
        device_certificates=device_certificates, secrets=secrets,
        listen=Listen(
            listen=listen, no_tls=no_tls, names=http_name or [], certificate=http_certificate,
            key=http_key, trust_header=trust_header, trust_from=trust_from or [],
        ),
    )  # fmt: skip
    command = options.command()
    if group is not None:
        _review(options, joined, variables, noted, strict=strict)
    if joined and not insecure_static_credentials:
        variables = without_keys(variables)
    joining = Joining(joined, iot_endpoint, iot_proxy)
    command += cloud_arguments(joining, variables, lend=insecure_static_credentials)
    act = {"group": source, "listen": listen or "", "read_only": read_only}
    if not detach:
        audited.noted(state, "run", {"pid": os.getpid(), **act})
        os.execve(command[0], command, variables)  # noqa: S606 - the core takes our place
    started = _started(command, variables, state, held, act)
    _print_started(settings.name, started, as_json=as_json)


def _from_elsewhere(group: str, state: Path, variables: Mapping[str, str]) -> tuple[str, list[str]]:
    """What reads and judges groups from elsewhere costs a core of our own nothing."""
    from fanfold.importing.for_core import source_for_core
    from fanfold.localcore.unsupported import cloud_of

    return source_for_core(group, state, cloud_of(variables))


def _review(
    options: CoreOptions, joined: Path | None, variables: Mapping[str, str], noted: list[str],
    *, strict: bool,
) -> None:  # fmt: skip
    from fanfold.localcore.unsupported import options_for, review

    judged = options_for(
        options.source, options.state, options.pythons, mqtt_port=options.mqtt_port, join=joined,
        device_certificates=options.device_certificates, secrets=options.secrets,
        variables=variables,
    )  # fmt: skip
    review(judged, noted, strict=strict)


def _pythons(given: list[str] | None) -> dict[str, str]:
    """By runtime; what is given goes before what is found."""
    found = {RUNTIME: str(python)} if (python := device_python()) else {}
    return {**found, **pythons_of(given or [])}


def _started(
    command: list[str], variables: dict[str, str], state: Path, held: IO[bytes],
    act: dict[str, Any],
) -> RunningCore:  # fmt: skip
    """A line of the audit log, also where it did not come up."""
    try:
        started = start(command, variables, state, held.fileno())
    except UserError as error:
        audited.noted(state, "run", act, failed=str(error))
        raise
    finally:
        held.close()
    audited.noted(state, "run", {"pid": started.pid, **act})
    return started


def _make_volumes(
    settings: Site, function_user: str, reached: Sequence[Path], *, insecure: bool
) -> None:
    """As the user who will run the functions, where that user reaches all that they need."""
    volumes = [Path(settings.volumes.images), Path(settings.volumes.state)]
    needed = (*reached, *(each.parent for each in volumes))
    owner = volume_owner(function_user, needed, insecure=insecure)
    for folder in volumes:
        make_volume(folder, owner)


def _refuse_json_without_detach(as_json: bool, detach: bool) -> None:
    if as_json and not detach:
        raise UserError("--json goes with --detach: else the core's own log is printed", INVALID)


def _print_started(site: str, core: RunningCore, *, as_json: bool) -> None:
    if as_json:
        shown = {key: core.info[key] for key in ("pid", "thing", "ports", "deployment", "listen")}
        output.print_json({"v": 1, "site": site, **shown})


def _join_file(settings: Site, given: Path | None) -> Path | None:
    """The one given; with target iot else the one that was provisioned here."""
    if given is None and settings.target != "iot":
        return None
    path = given or join_file(state_dir() / "certificates" / settings.name, settings.core.thing)
    if not path.is_file():
        said = f"{path}: no join file. Create it: fanfold provision {settings.name}"
        raise UserError(said, MISSING)
    return path.absolute()


def without_keys(variables: Mapping[str, str]) -> dict[str, str]:
    """A core that has a certificate gets no other credentials."""
    secret = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    return {name: value for name, value in variables.items() if name not in secret}
