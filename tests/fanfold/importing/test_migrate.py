"""A V1 group becomes a site for a living target: ours whole, others' with a report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PROJECT

from infra.planning import load_site, plan_group, render

SITE = """
name: mill
profile: this-machine
account: "123456789012"
region: eu-central-1
core: {thing: mill-core}
model: {s3_uri: s3://mill-models/lite0.tar.gz}
cameras: [{name: left}, {name: right}]
volumes: {images: /srv/mill/images, state: /srv/mill/state}
strategy: decoupled
workers: 2
batch: 4
"""
ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello:live"
FOREIGN = {
    "Name": "Press 4",
    "Core": {"Id": "c", "ThingArn": "arn:aws:iot:us-east-1:123456789012:thing/press"},
    "Devices": [{"Id": "d", "ThingArn": "arn:aws:iot:us-east-1:123456789012:thing/Cam_A"}],
    "Functions": [{"Id": "hello", "FunctionArn": ARN, "FunctionConfiguration": {}}],
    "Lambdas": {ARN: {"FunctionName": "hello", "Handler": "m.h", "Runtime": "python3.7"}},
    "Connectors": [{"Id": "x", "ConnectorArn": "arn:aws:greengrass:us-east-1::/connectors/SNS"}],
    "Subscriptions": [{"Id": "s", "Source": ARN, "Subject": "a", "Target": "cloud"}],
}


def migrate(
    folder: Path, document: dict, *options: str, name: str = "new"
) -> tuple[int, str, Path]:
    source, file = folder / "group.json", folder / "sites" / f"{name}.yaml"
    source.write_text(json.dumps(document))
    command = [sys.executable, "-m", "fanfold.main", "migrate", str(source), str(file), *options]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, file


def test_a_group_of_ours_becomes_a_site_that_plans_the_same_functions(tmp_path: Path) -> None:
    (tmp_path / "mill.yaml").write_text(SITE)
    before = plan_group(*load_site(tmp_path / "mill.yaml", PROJECT / "device_profiles"))
    code, said, file = migrate(tmp_path, render(before), "--target", "iot", name="mill")
    assert code == 0, said
    site, profile = load_site(file, PROJECT / "device_profiles")
    after = plan_group(site, profile)
    assert (site.target, site.name, site.model.s3_uri) == ("iot", "mill", before.site.model.s3_uri)
    assert [f.id for f in after.functions] == [f.id for f in before.functions]
    assert site.volumes == before.site.volumes
    assert [c.name for c in site.cameras] == ["left", "right"]


def test_a_group_of_ours_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "mill.yaml").write_text(SITE)
    before = plan_group(*load_site(tmp_path / "mill.yaml", PROJECT / "device_profiles"))
    code, said, file = migrate(tmp_path, render(before))
    assert code == 2
    assert "mill.yaml" in said.replace("\n", "")
    assert not file.exists()


def test_a_foreign_group_is_told_what_to_add_and_what_is_left_behind(tmp_path: Path) -> None:
    code, said, file = migrate(tmp_path, FOREIGN, "--target", "v2")
    assert code == 2
    report = (file.parent / "new.REPORT.md").read_text()
    to_add, _, left = report.partition("## Without a counterpart")
    for wanted in ("model:", "volumes.images", "components.runtimes"):
        assert wanted in to_add
    for wanted in ("function hello", "1 subscriptions", "connectors/SNS"):
        assert wanted in left
    assert "cam-a" in file.read_text()
    assert "function hello" in said.replace("\n", " ")


@pytest.mark.parametrize("target", ["iot", "v2"])
def test_a_file_that_is_there_is_not_touched(tmp_path: Path, target: str) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "new.yaml").write_text("mine\n")
    code, said, file = migrate(tmp_path, FOREIGN, "--target", target)
    assert code == 2
    assert "is there already" in said
    assert file.read_text() == "mine\n"
