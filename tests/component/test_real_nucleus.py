"""AWS's own nucleus, where one is installed: it takes and deploys what we render.

The second test asks for a nucleus, lite or Java, that somebody has pointed at a running
development cloud (docs/spec/development-cloud.md has its endpoints), on this machine:
FANFOLD_NUCLEUS_CLOUD=STATE_FOLDER FANFOLD_NUCLEUS_THING=THING.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from v2_device import V2Device
from waiting import eventually

import devcloud

CLOUD, THING, GROUP = "FANFOLD_NUCLEUS_CLOUD", "FANFOLD_NUCLEUS_THING", "fanfold-nucleus"
DEPLOYS_S = 600.0

pytestmark = [pytest.mark.nucleus, pytest.mark.timeout(3600)]


@pytest.mark.skipif(
    shutil.which("ggl-cli") is None, reason="no ggl-cli: nucleus lite is not installed here"
)
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


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to the components' user, which pytest's own folders are not."""
    made = Path(tempfile.mkdtemp(prefix="nucleus"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.skipif(
    not (os.environ.get(CLOUD) and os.environ.get(THING)),
    reason=f"{CLOUD} and {THING} name no development cloud and thing that a nucleus follows",
)
def test_a_nucleus_deploys_from_the_development_cloud_exchanges_the_model_and_uninstalls(
    folder: Path,
) -> None:
    cloud = devcloud.find(Path(os.environ[CLOUD]))
    assert cloud is not None, f"no development cloud runs in {os.environ[CLOUD]}"
    device = V2Device(folder, core={"group": GROUP})
    for name in ("images", "state"):
        (folder / name).chmod(0o777)
    target = _group(cloud, os.environ[THING])

    for version in ("1.0.0", "1.1.0"):
        recipes = device.recipes(device.model(version))
        _deploy(cloud, target, recipes, device.files)
    bad = device.recipes(device.model("1.2.0", sound=False))
    _deploy(cloud, target, bad, device.files, "FAILED")
    _deploy(cloud, target, [], {})


def _group(cloud: devcloud.DevCloud, thing: str) -> str:
    iot = cloud.client("iot")
    with contextlib.suppress(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_thing_group(thingGroupName=GROUP)
    with contextlib.suppress(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_thing(thingName=thing)
    iot.add_thing_to_thing_group(thingGroupName=GROUP, thingName=thing)
    return str(iot.describe_thing_group(thingGroupName=GROUP)["thingGroupArn"])


def _deploy(
    cloud: devcloud.DevCloud,
    target: str,
    recipes: list[dict[str, Any]],
    files: dict[str, Path],
    ends: str = "SUCCEEDED",
) -> None:
    """As the stack does, and until the device has said how it went."""
    s3, greengrass = cloud.client("s3"), cloud.client("greengrassv2")
    for uri, path in files.items():
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    for recipe in recipes:
        with contextlib.suppress(greengrass.exceptions.ConflictException):
            greengrass.create_component_version(inlineRecipe=json.dumps(recipe))
    made = greengrass.create_deployment(
        targetArn=target,
        components={
            r["ComponentName"]: {"componentVersion": r["ComponentVersion"]} for r in recipes
        },
    )["deploymentId"]
    thing = os.environ[THING]

    def told() -> str:
        found = greengrass.list_effective_deployments(coreDeviceThingName=thing)
        statuses = {d["deploymentId"]: d for d in found["effectiveDeployments"]}
        return str(statuses.get(made, {}).get("coreDeviceExecutionStatus"))

    eventually(
        lambda: told() in ("SUCCEEDED", "COMPLETED", "FAILED", "REJECTED"),
        f"{thing} ended deployment {made}", DEPLOYS_S,
    )  # fmt: skip
    assert told().replace("COMPLETED", "SUCCEEDED") == ends
