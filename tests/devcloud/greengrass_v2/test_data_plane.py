"""What a nucleus asks with its certificate; the site's own policy says what it may."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from things import Thing, make_thing

import devcloud
from infra.targets.v2.policy import DATA_PLANE, core_device_policy

pytestmark = pytest.mark.xdist_group("devcloud")
DOCUMENT = {
    "Name": "hall", "Account": "123456789012", "Region": "us-east-1", "Functions": [],
    "Target": {"Name": "v2"},
}  # fmt: skip


def ask(cloud: devcloud.DevCloud, thing: Thing, path: str, body: Any = None) -> Any:
    trusted = ssl.create_default_context(cafile=str(cloud.ca_file))
    trusted.load_cert_chain(thing.folder / "certificate.pem", thing.folder / "private.key")
    data = None if body is None else json.dumps(body).encode()
    url = f"https://localhost:{cloud.iot_port}/greengrass/v2/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, data), context=trusted) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def box(cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Thing:
    statements = core_device_policy(DOCUMENT)["Statement"]
    made = make_thing(cloud, tmp_path_factory.mktemp("b") / "box", "v2-box", statements)
    iot = cloud.client("iot")
    iot.create_thing_group(thingGroupName="v2-boxes")
    iot.add_thing_to_thing_group(thingGroupName="v2-boxes", thingName="v2-box")
    return made


def test_a_nucleus_resolves_exact_versions_to_recipes(cloud: devcloud.DevCloud, box: Thing) -> None:
    recipe = {"ComponentName": "v2.Plain", "ComponentVersion": "1.2.3", "Manifests": []}
    greengrass = cloud.client("greengrassv2")
    greengrass.create_component_version(inlineRecipe=json.dumps(recipe).encode())
    candidate = {"componentName": "v2.Plain", "versionRequirements": {"thing/x": "==1.2.3"}}
    said = ask(cloud, box, "resolveComponentCandidates", {"componentCandidates": [candidate]})
    (found,) = said["resolvedComponentVersions"]
    assert found["componentVersion"] == "1.2.3"
    assert json.loads(base64.b64decode(found["recipe"])) == recipe


def test_a_nucleus_is_told_the_groups_of_its_own_thing(
    cloud: devcloud.DevCloud, box: Thing
) -> None:
    (group,) = ask(cloud, box, "coreDevices/v2-box/thingGroups")["thingGroups"]
    assert group["thingGroupName"] == "v2-boxes"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask(cloud, box, "coreDevices/other-box/thingGroups")


def test_without_the_rights_of_the_data_plane_a_nucleus_is_refused(
    cloud: devcloud.DevCloud, tmp_path: Path
) -> None:
    statements = core_device_policy(DOCUMENT)["Statement"]
    fewer = [each for each in statements if each["Action"] != list(DATA_PLANE)]
    assert len(fewer) == len(statements) - 1
    poor = make_thing(cloud, tmp_path / "poor", "v2-poor", fewer)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask(cloud, poor, "coreDevices/v2-poor/thingGroups")
