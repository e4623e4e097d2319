"""MQTT clients of other people, unmodified from npm and PyPI, as devices of one running core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from core_site import Site, device_site
from published import CLIENTS, node_modules, older
from test_devices import _certificate, _connect_shadow, device

pytestmark = pytest.mark.xdist_group("world-clients")
TIMEOUT_S = 120
NAMES = ("mqtt-js", "device-js", "paho-1", "paho-2", "python-1", "python-2")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each device may send to itself and reach its own shadow; TLS with its own certificate."""
    with device_site(tmp_path_factory.mktemp("clients")) as site:
        certificates = site.folder / "certificates"
        for name in NAMES:
            arn = device(site, name, _certificate(certificates, name))
            site.connect(arn, f"own/{name}", arn)
            _connect_shadow(site, arn, name)
        site.start("--mqtt-port", "0", "--device-certificates", str(certificates))
        yield site


@pytest.fixture
def run(core: Site) -> Callable[..., None]:
    """Runs a program as a device; what it printed last is the message that came back to it."""

    def run(name: str, *command: str, **variables: str) -> None:
        folder = core.folder / "certificates"
        port = json.loads((core.state / "core.json").read_text())["ports"]["mqtt"]
        files = (core.state / "ca" / "group-ca.pem", folder / f"{name}.crt", folder / f"{name}.key")
        done = subprocess.run(
            [*command, *map(str, files), str(port), name], capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False, env={**os.environ, **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {"from": name}

    return run


@pytest.mark.parametrize(
    ("name", "package", "program"),
    [
        ("mqtt-js", "mqtt", "mqtt_js.js"),
        ("device-js", "aws-iot-device-sdk", "aws_iot_device_sdk.js"),
    ],
)
def test_a_client_of_npm_gets_its_own_message(
    run: Callable[..., None], name: str, package: str, program: str
) -> None:
    modules = node_modules(package)
    run(name, "node", str(CLIENTS / program), NODE_PATH=str(modules))


def test_paho_1_gets_its_own_message(run: Callable[..., None]) -> None:
    folder = older("paho")
    command = (sys.executable, "-W", "ignore", str(CLIENTS / "paho_any.py"))
    run("paho-1", *command, PYTHONPATH=str(folder))


@pytest.mark.parametrize(
    ("name", "package", "program"),
    [
        ("paho-2", "paho", "paho_any.py"),
        ("python-1", "AWSIoTPythonSDK", "aws_iot_python_sdk.py"),
        ("python-2", "awsiot", "awsiotsdk_v2.py"),
    ],
)
def test_a_client_of_pypi_gets_its_own_message_and_its_shadow(
    run: Callable[..., None], name: str, package: str, program: str
) -> None:
    pytest.importorskip(package)
    run(name, sys.executable, "-W", "ignore", str(CLIENTS / program))
