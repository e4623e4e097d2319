"""The real bundle on a device of its own: installed, started as its unit says, updated, removed.

The device is a set of namespaces. All its processes end with its first one, and that one ends with
the test, so that no core stays behind when a step fails or the test is killed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT

from contract.pythons import CORE_PYTHONS
from device.bundle.build import make_bundle
from device.bundle.target import Target
from device.bundle.wheels import WheelsError
from fanfold.localcore.starting import local_group

MIB = 1024 * 1024
PYTHON = next(
    (found for each in CORE_PYTHONS if (found := shutil.which(f"python{each}", path="/usr/bin"))),
    None,
)
NEEDED = ("unshare", "setpriv", "useradd", "ip")
ON_A_DEVICE = (
    "setpriv", "--pdeathsig", "KILL",
    "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip
SITE = """
name: hall
profile: this-machine
account: "123456789012"
region: us-east-1
core: {thing: hall-core}
model:
  s3_uri: s3://hall-models/m.tar.gz
  footprint: {memory_kb: 330000, ms: {transform: 8.0, inference: 16.0}}
cameras: [{name: left}]
volumes: {images: /srv/hall/images, state: /srv/hall/state}
workers: 1
"""
MODEL = {
    "v": 1, "name": "boxes", "version": "1.0.0", "runtime": "simulated", "task": "classification",
    "input": {"shape": [1, 3, 32, 32]}, "simulated": {"wait_ms": 1},
}  # fmt: skip
JOIN = {
    "v": 1, "thing": "hall-core", "site": "hall", "region": "us-east-1",
    "iot_endpoint": "127.0.0.1", "credentials_endpoint": None, "role_alias": None, "jobs": True,
    "volumes": {"images": "/srv/hall/images", "state": "/srv/hall/state"},
}  # fmt: skip
pytestmark = [
    pytest.mark.story,
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.geteuid() != 0 or PYTHON is None or not all(map(shutil.which, NEEDED)),
        reason=f"needs root, a Python in /usr/bin and {', '.join(NEEDED)}",
    ),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked. Its wheels are fetched from the package index and kept in build/bundle."""
    folder = tmp_path_factory.mktemp("bundle")
    target = Target(
        platform.machine(), Path(str(PYTHON)).name.removeprefix("python"), "onnxruntime"
    )
    try:
        made = make_bundle(target, folder, PROJECT / "build" / "bundle")
    except WheelsError as error:
        if "connection broken" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached for a bundle's wheels: {error}")
    assert made.size < 150 * MIB
    assert sum(made.parts.values()) < made.size
    with tarfile.open(made.path) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    return next((folder / "unpacked").iterdir())


@pytest.fixture(scope="module")
def steps(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the device told, by step."""
    folder = tmp_path_factory.mktemp("device")
    files = _group(folder)
    join = folder / "hall.join"
    join.write_text(json.dumps({**JOIN, **_identity(folder)}))
    (folder / "work").mkdir()
    script = PROJECT / "tests/kit/device_in_a_namespace.py"
    core = ["--ipc-port", "0", "--http-port", "0", "--mqtt-port", "off"]
    done = subprocess.run(
        [*ON_A_DEVICE, sys.executable, str(script), str(folder / "work"), str(bundle),
         str(join), str(PYTHON), str(files), *core],
        capture_output=True, text=True, timeout=560, check=False,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, done.stdout + done.stderr
    return {each["step"]: each for each in told} | {"log": done.stderr}


def _group(folder: Path) -> Path:
    """A planned group whose code and model lie where the device will have them."""
    (folder / "hall.yaml").write_text(SITE)
    (folder / "model.json").write_text(json.dumps(MODEL))
    files = folder / "files"
    files.mkdir()
    with tarfile.open(files / "model.tar.gz", "w:gz") as package:
        package.add(folder / "model.json", "model.json")
    planned = local_group(str(folder / "hall.yaml"), files / "model.tar.gz", files, tls=False)
    (files / "group.json").write_text(planned.read_text().replace(str(files), "/srv/files"))
    return files


def _identity(folder: Path) -> dict[str, str]:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=hall-core", "-days", "2"]
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=True
    )
    return {"key_pem": key.read_text(), "certificate_pem": certificate.read_text()}


def test_it_installs_without_network_compiler_or_pip(steps: dict[str, Any]) -> None:
    assert steps["install"]["code"] == 0, steps["install"]
    assert "installed: core" in steps["install"]["out"]
    assert steps["look"]["megabytes"] < 400


def test_what_it_keeps_is_the_services_own_and_closed_to_others(steps: dict[str, Any]) -> None:
    paths = steps["look"]["paths"]

    assert paths.pop("/opt/fanfold")[1] == "root"
    assert paths.pop("/etc/fanfold/hall.join") == ["0o600", "fanfold"]
    assert len(paths) == 3
    assert set(map(tuple, paths.values())) == {("0o700", "fanfold")}


def test_the_launcher_starts_a_core_that_becomes_ready(steps: dict[str, Any]) -> None:
    assert steps["started"]["proved"], steps["log"]
    assert steps["started"]["ready"]


def test_a_core_that_does_not_start_gives_way_to_the_one_that_did(steps: dict[str, Any]) -> None:
    result = steps["went back"]["result"]

    assert result["version"].endswith("-spoiled"), steps["log"]
    assert result["running"] == steps["started"]["proved"]
    assert steps["went back"]["ready"]


def test_a_key_is_made_on_the_device_for_the_service_alone(steps: dict[str, Any]) -> None:
    verified = subprocess.run(
        ["openssl", "req", "-verify", "-noout", "-subject"],
        input=steps["key"]["csr"], capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert steps["request"]["code"] == 0, steps["request"]
    assert steps["key"]["key"] == ["0o600", "fanfold"]
    assert verified.stdout.strip().endswith("hall-spare")


def test_functions_run_as_a_user_who_reads_nothing_of_the_core(steps: dict[str, Any]) -> None:
    assert steps["function user"]["code"] == 0, steps["function user"]
    assert steps["functions"]["ready"], steps["log"]

    assert set(steps["functions"]["users"].values()) == {"ggc_user"}
    assert steps["functions"]["readable"] == ["/srv/files/group.json"]
    assert steps["functions stopped"]["running"], steps["log"]


def test_it_is_removed_and_the_state_of_the_site_stays(steps: dict[str, Any]) -> None:
    assert (steps["stopped"]["code"], steps["stopped"]["running"]) == (0, []), steps["log"]
    assert steps["uninstalled"]["left"] == []
    assert steps["uninstalled"]["state"]


def test_a_damaged_wheel_is_named_before_anything_is_installed(
    bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(bundle, copy)
    wheel = next((copy / "wheels").glob("numpy-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"!")
    (tmp_path / "hall.join").write_text(json.dumps({**JOIN, "certificate_pem": "x"}))
    (tmp_path / "root").mkdir()

    done = subprocess.run(
        [str(copy / "install.sh"), "--site", str(tmp_path / "hall.join"), "--root",
         str(tmp_path / "root")],
        env={"PATH": "/usr/bin:/bin", "FANFOLD_PYTHON": str(PYTHON)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert f"{wheel.name}: missing or damaged; copy the archive again" in done.stderr
    assert not list((tmp_path / "root/var/lib/fanfold/versions").iterdir())
