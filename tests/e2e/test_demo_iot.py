"""The story of target iot, as `fanfold demo --target iot` tells it: minutes, so `make soak`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from checkout import PROJECT

from fanfold.device.interpreters import device_python

DEMO_S = 900
pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(DEMO_S + 20)]


def test_a_core_with_nothing_but_a_certificate_lives_through_the_whole_story() -> None:
    if device_python() is None:
        pytest.skip("no interpreter for the Lambdas (.venv-device): run `make setup`")
    told = subprocess.run(
        [sys.executable, "-m", "fanfold.main", "demo", "--images", "12", "--target", "iot"],
        cwd=PROJECT, env={**os.environ, "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=DEMO_S, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    outcome = json.loads((PROJECT / "build" / "demo-iot.json").read_text())

    assert (outcome["results"], outcome["lost"], outcome["not_in_cloud"]) == (36, 0, 0)
    assert (outcome["model_before"], outcome["model_after"]) == (["1.0.0"], ["1.1.0"])
    assert outcome["job_status"] == "FAILED"
    assert outcome["rolled_back"] is True
    assert (outcome["uplink"], outcome["credentials"]) == ("mqtt-mtls", "role-alias")
    assert outcome["aws_keys_on_device"] is False
    assert outcome["aws_keys_looked_at"]["environments"] > 3
    assert outcome["while_cut"]["in_cloud"] == 0 < outcome["while_cut"]["spooled"]
    assert 0 < outcome["job_to_first_result_s"] < outcome["deploy_to_first_result_s"]
