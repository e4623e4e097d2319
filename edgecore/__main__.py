"""``python -m edgecore``: arguments of docs/spec/core.md into options, logs, run."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import get_args

from edgecore.core.options import HEALTH_LIMIT_S, CloudSink, CoreError, Options, Web
from edgecore.daemon.core_log import configure_logs
from edgecore.daemon.process import run
from edgecore.disk.state_files import require_writable


def _port(text: str) -> int | None:
    if text == "off":
        return None
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(
            f"{text} is not a port: give 1 to 65535, 0 for any free port, or off"
        )
    return number


def _words(text: str) -> tuple[str, ...]:
    """A command as a shell would take it apart. ValueError: a quote is left open."""
    return tuple(shlex.split(text))


def _python(text: str) -> tuple[str, str]:
    runtime, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not RUNTIME=PATH, e.g. python3.8=/usr/bin/x")
    # A name with a slash is meant from here; functions start elsewhere. Links stay: a venv is one.
    return runtime, str(Path(path).absolute()) if "/" in path else path


def parser() -> argparse.ArgumentParser:
    """The arguments; ``fanfold run`` builds Options itself."""
    arguments = argparse.ArgumentParser("edgecore", description="Run one Greengrass V1 group.")
    add = arguments.add_argument
    add("--group", metavar="SOURCE")
    add("--state", type=Path, default=Path(".fanfold/core"), metavar="DIR")
    add("--ipc-port", type=_port, default=8000)
    add("--mqtt-port", type=_port, default=8883)
    add("--mqtt-plain-port", type=_port, default=None)
    add("--http-port", type=_port, default=8080)
    add("--listen", metavar="ADDRESS:PORT")
    add("--no-tls", action="store_true")
    add("--http-name", action="append", default=[], metavar="NAME")
    add("--http-certificate", type=Path, metavar="PEM")
    add("--http-key", type=Path, metavar="PEM")
    add("--trust-header", metavar="NAME")
    add("--trust-from", action="append", default=[], metavar="ADDRESS")
    add("--read-only", action="store_true")
    add("--python", type=_python, action="append", default=[], metavar="RUNTIME=PATH")
    add("--isolation", choices=["auto", "none"], default="auto")
    add("--function-user", default="auto", metavar="auto|root|USER[:GROUP]")
    add("--insecure-core-user", action="store_true")
    add("--cloud", choices=get_args(CloudSink), default="local")
    add("--join", type=Path, metavar="FILE")
    add("--discovery-port", type=_port, default=None)
    add("--device-certificates", metavar="DIR|aws-iot")
    add("--secrets", type=Path, metavar="FILE")
    add("--iot-endpoint", metavar="HOST[:PORT]")
    add("--iot-proxy", metavar="URL")
    add("--insecure-static-credentials", "--lend-static-credentials", action="store_true")
    add("--endpoint-url", default=os.environ.get("AWS_ENDPOINT_URL"))
    add("--region")
    add("--poll-s", type=float, default=5.0)
    add("--health-s", type=float, default=HEALTH_LIMIT_S)
    add("--fault-plan", "--faults", type=Path, metavar="FILE")
    add("--no-history", action="store_true")
    add("--doctor", type=_words, default=(), metavar="COMMAND")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Exit code 0, 1, 2 or 3 as in docs/spec/core.md."""
    arguments = parser()
    given = arguments.parse_args(argv)
    if given.group is None and given.join is None:
        arguments.error("--group SOURCE is needed; with --join FILE it may come by a job")
    try:
        require_writable(given.state)
    except CoreError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    configure_logs(given.state)
    return run(_options(given))


def _options(given: argparse.Namespace) -> Options:
    """What was given on the command line, as the core takes it."""
    return Options(
        group=given.group or "jobs",
        state=given.state.absolute(),
        ipc_port=given.ipc_port or 0,
        mqtt_port=given.mqtt_port,
        mqtt_plain_port=given.mqtt_plain_port,
        http_port=given.http_port,
        web=Web(
            names=tuple(given.http_name),
            listen=given.listen,
            no_tls=given.no_tls,
            certificate=given.http_certificate,
            key=given.http_key,
            trust_header=given.trust_header,
            trust_from=tuple(given.trust_from),
            read_only=given.read_only,
        ),
        pythons=dict(given.python),
        isolation=given.isolation,
        function_user=given.function_user,
        insecure_core_user=given.insecure_core_user,
        cloud=given.cloud,
        endpoint_url=given.endpoint_url,
        region=given.region,
        poll_s=given.poll_s,
        health_s=given.health_s,
        fault_plan=given.fault_plan,
        doctor=given.doctor,
        discovery_port=given.discovery_port,
        device_certificates=given.device_certificates,
        secrets=given.secrets and given.secrets.absolute(),
        join=given.join and given.join.absolute(),
        iot_endpoint=given.iot_endpoint,
        iot_proxy=given.iot_proxy,
        history=not given.no_history,
        insecure_static_credentials=given.insecure_static_credentials,
    )


if __name__ == "__main__":
    sys.exit(main())
