"""The rendered recipes under a nucleus that is root, and component processes that are not.

The kernel is the other side: files are owned and protected as a nucleus does it for ggc_user.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from v2_device import PYTHON, THING, V2Device
from waiting import eventually

from devcloud.nucleus import Nucleus

UID = 24_601
"""In no passwd file, as in a container: nothing may ask for its name or home."""
DEVICE_PYTHON = Path(f"/usr/bin/python{PYTHON}")


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root may start components as another user"
    if not DEVICE_PYTHON.exists():
        return f"no {DEVICE_PYTHON} that every user may start"
    libraries = sysconfig.get_paths()["purelib"]
    done = subprocess.run(
        [DEVICE_PYTHON, "-c", "import cv2, numpy"], env={"PYTHONPATH": libraries}, user=UID,
        group=UID, extra_groups=[], cwd="/", capture_output=True, check=False,
    )  # fmt: skip
    return f"uid {UID} cannot import what lies in {libraries}" if done.returncode else ""


pytestmark = pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "-")


@pytest.fixture(scope="module")
def device() -> Iterator[V2Device]:
    folder = Path(tempfile.mkdtemp(prefix="rights"))  # pytest's own are closed to other users
    folder.chmod(0o755)
    made = V2Device(folder)
    made.nucleus = Nucleus(folder / "gg", THING, made._fetch, user=UID, python=DEVICE_PYTHON)
    (folder / "images" / "cam1").mkdir()
    for path in (folder / "images", folder / "images" / "cam1", folder / "state"):
        os.chown(path, UID, UID)
    try:
        with made.nucleus:
            made.nucleus.deploy(made.recipes(made.model("1.0.0")))
            model = made.nucleus.running["fanfold.t.Model"]
            eventually(lambda: model.state == "FINISHED", f"proved: {made.log('Core')}", 90)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_components_run_as_their_user_and_answer_images(device: V2Device) -> None:
    device.until_ready()
    device.send(5)
    eventually(lambda: device.tally()["lost"] == 0, "every image has a record")
    pid = device.facts()["pid"]

    assert Path(f"/proc/{pid}").stat().st_uid == UID
    owners = {path.lstat().st_uid for path in device.work.rglob("*")}
    assert owners == {UID}


def test_artifacts_belong_to_that_user_who_may_not_write_them(device: V2Device) -> None:
    packages = device.folder / "gg" / "packages"
    found = list(packages.glob("artifacts*/*/*/**/*"))
    modes = {stat.S_IMODE(path.lstat().st_mode) for path in found}

    assert {path.lstat().st_uid for path in found} == {UID}
    assert modes == {0o444, 0o555}


@pytest.mark.soak
def test_a_new_core_is_adopted_and_the_copy_of_an_old_one_can_be_removed(device: V2Device) -> None:
    versions = device.work / "versions"
    for workers in (1, 2):
        before = {path.name for path in versions.iterdir()}
        wanted = device.recipes(device.model("1.0.0"), workers=workers, window=workers + 1)
        device.nucleus.deploy(wanted)
        eventually(lambda b=before: {p.name for p in versions.iterdir()} - b, "adopted", 90)
        proved = device.work / "launcher" / "versions.json"
        eventually(lambda p=proved: '"trial": null' in p.read_text(), device.log("Core"), 90)

    device.until_ready()
    eventually(lambda: len(list(versions.iterdir())) <= 2, "the first version is removed", 60)
