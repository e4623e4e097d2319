"""The main job with nothing faked but the cloud, as the README's first command runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from checkout import PROJECT

from fanfold.device.interpreters import device_python

IMAGES = 24
DEMO_S = 400
#: The first test waits for the demo, whichever that is.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(DEMO_S + 20)]


@pytest.fixture(scope="module")
def transcript() -> subprocess.CompletedProcess[str]:
    """One run of `fanfold demo`; its own checks make it fail on loss, disorder or a stale model."""
    if device_python() is None:
        pytest.skip("no interpreter for the Lambdas (.venv-device): run `make setup`")
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
