"""Starting a core on this machine: which group, with what environment, until it is ready."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from fanfold.cloud.development import running_cloud
from fanfold.common import output
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.inputs import hooks_of
from fanfold.common.project import read_site, state_dir
from fanfold.localcore import running
from fanfold.localcore.findings import report
from fanfold.provision.local import local_certificates
from infra.packaging import build_lambdas
from infra.planning import check, errors, plan_group, render
from infra.where import python_path

START_TIMEOUT_S = 120


def environment() -> dict[str, str]:
    """This shell's, pointed at the development cloud where one runs."""
    cloud = running_cloud()
    return {**os.environ, "PYTHONPATH": python_path(), **(cloud.env() if cloud else {})}


def deployed_group(name: str) -> str:
    if running_cloud() is None and not os.environ.get("AWS_ENDPOINT_URL"):
        raise UserError(
            f"no development cloud is running here to pull group {name!r} from. Start one "
            "and deploy "
            f"(fanfold devcloud start --bootstrap; fanfold deploy {name}), or run without any "
            f"cloud: fanfold run {name} --model PACKAGE",
            MISSING,
        )
    return f"greengrass:{name}"


def local_group(site: str, model: Path, state: Path, *, tls: bool) -> Path:
    """The planner's own document, with the Lambdas and the model of this machine."""
    if not model.is_file():
        what = "is a folder: pack it with `fanfold model pack`" if model.is_dir() else ""
        raise UserError(f"{model}: {what or 'no such model package'}", MISSING)
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


def start(
    command: list[str], environment: dict[str, str], state: Path, held: int
) -> running.RunningCore:
    """Returns when every function can take work. Raises UserError."""
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
    if lan := core.info.get("listen"):
        seen = f", certificate SHA-256 {lan['fingerprint']}" if lan["fingerprint"] else ""
        output.note(f"dashboard for users: {lan['url']}{seen}")
    report(core, core.get("/api/status")["findings"])
    return core


def _wait_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> running.RunningCore:
    """Until /ready says so; the core's own last words when it ends instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise UserError(
                f"the core ended with exit status {code}:\n{_tail(log)}", code if code > 0 else 1
            )
        core = running.read(state)
        if core and core.pid == process.pid and core.ready():
            return core
        time.sleep(0.1)
    process.terminate()
    raise UserError(f"the core was not ready in {START_TIMEOUT_S} s:\n{_tail(log)}")


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
