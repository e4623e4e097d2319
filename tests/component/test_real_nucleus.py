"""AWS's own nucleus lite, where one is installed and runs: it takes what we render."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from v2_device import V2Device

pytestmark = [
    pytest.mark.nucleus,
    pytest.mark.skipif(
        shutil.which("ggl-cli") is None, reason="no ggl-cli: nucleus lite is not installed here"
    ),
]


def test_nucleus_lite_takes_the_recipes_for_a_local_deployment(tmp_path: Path) -> None:
    """Taken, not run: a local deployment does not unpack archives."""
    device = V2Device(tmp_path / "v2")
    recipes, artifacts = tmp_path / "recipes", tmp_path / "artifacts"
    recipes.mkdir()
    named = []
    for recipe in device.recipes(device.model("1.0.0")):
        name, version = recipe["ComponentName"], recipe["ComponentVersion"]
        (recipes / f"{name}-{version}.json").write_text(json.dumps(recipe))
        (artifacts / name / version).mkdir(parents=True)
        named += ["--add-component", f"{name}={version}"]
    command = ["ggl-cli", "deploy", "--recipe-dir", str(recipes), "--artifacts-dir", str(artifacts)]
    done = subprocess.run([*command, *named], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
