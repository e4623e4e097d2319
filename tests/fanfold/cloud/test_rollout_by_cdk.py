"""`fanfold rollout` as typed, the CDK included, and a core that takes what it is given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest
from cloud_plant import Plant, package

pytestmark = [pytest.mark.soak, pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture
def two(make_plant: Callable[[], Plant]) -> tuple[Plant, Plant]:
    """Two sites in the folder of the first; health is judged by their deployments."""
    if shutil.which("node") is None:
        pytest.skip("the CDK needs node")
    first, second = make_plant(), make_plant()
    for plant in (first, second):
        plant.write(cloud={"monitor": None})  # no health reports to wait for
    (first.folder / "sites" / f"{second.name}.yaml").symlink_to(second.site_file)
    return first, second


def test_a_site_gets_a_model_by_cdk_and_one_that_its_core_refuses_stops_the_next_rollout(two):
    first, second = two
    good = f"s3://{first.bucket}/good.tar.gz"
    begun = first.fanfold("rollout", first.name, "--model", good, "--yes", "--json")
    assert begun.returncode == 0, begun.stdout[-2000:] + begun.stderr[-3000:]
    first.start_core("--cloud", "iot", "--insecure-static-credentials")
    bad = first.publish(package(first.folder, "bad", input={"shape": [3, 32]}))

    stopped = first.fanfold(
        "rollout", "p*", "--model", bad, "--canary", first.name, "--yes", "--json"
    )

    said = json.loads(stopped.stdout.splitlines()[-1])
    assert stopped.returncode == 1
    assert said["sites"][first.name]["stand"] == "failed"
    assert said["sites"][second.name]["stand"] == "pending"
    assert "the core could not run the new group" in said["stopped"]
    assert first.running_model() == good
