"""The main job with nothing faked but the cloud, as the README's first command runs it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys

import pytest
from checkout import PROJECT

from fanfold.device.interpreters import device_python

IMAGES = 24
DEMO_S = 400
LAST = "lite0-1.1.0.tar.gz"
#: The first test waits for the demo, whichever that is.
pytestmark = [pytest.mark.story, pytest.mark.e2e, pytest.mark.timeout(DEMO_S + 20)]


def take_the_tutorials_packages() -> None:
    """Where a test of the guides has built the same two in this run; else the demo does it itself.

    That it does: tests/fanfold/test_demo_parts.py.
    """
    made, wanted = PROJECT / "build" / "guides", PROJECT / "build" / "demo"
    if not (made / ".lock").is_file():
        return
    with (made / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (made / "models" / LAST).is_file() and not (wanted / LAST).is_file():
            shutil.copytree(made / "models", wanted, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def transcript() -> subprocess.CompletedProcess[str]:
    """One run of `fanfold demo`; its own checks make it fail on loss, disorder or a stale model."""
    if device_python() is None:
        pytest.skip("no interpreter for the Lambdas (.venv-device): run `make setup`")
    take_the_tutorials_packages()
    return subprocess.run(
        [sys.executable, "-m", "fanfold.main", "demo", "--images", str(IMAGES), "--json"],
        cwd=PROJECT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
    )


def test_profile_to_group_to_deploy_to_ordered_results_with_the_model_swapped(transcript):
    assert transcript.returncode == 0, transcript.stdout + transcript.stderr
    measured = json.loads(transcript.stdout.strip().splitlines()[-1])

    assert measured["images"] == 2 * IMAGES
    assert f"{2 * IMAGES} records for {2 * IMAGES} images, 0 missing" in transcript.stdout


def test_the_demo_judges_itself_by_loss_order_model_and_group(transcript):
    verdict = json.loads((PROJECT / "build" / "demo.json").read_text())

    assert (verdict["results"], verdict["lost"]) == (2 * IMAGES, 0)
    assert (verdict["duplicates"], verdict["out_of_order"], verdict["not_in_cloud"]) == (0, 0, 0)
    assert (verdict["model_before"], verdict["model_after"]) == (["1.0.0"], ["1.1.0"])
    assert verdict["group_id_before"] == verdict["group_id_after"] != ""


def test_a_real_photograph_is_recognised(transcript):
    assert "espresso" in transcript.stdout


def test_the_demo_leaves_nothing_running(transcript):
    assert not (PROJECT / ".fanfold" / "demo" / "core" / "demo" / "core.json").exists()
