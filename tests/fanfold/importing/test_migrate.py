"""A V1 group becomes a site for a living target: ours whole, others' with a report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import PROJECT

from edgecore.sources.aws_clients import AwsClients
from fanfold.importing.as_site import as_site
from fanfold.importing.from_template import Given
from fanfold.importing.imported import Imported
from fanfold.importing.reading import read_source
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
    folder: Path, document: dict, *options: str, file: str = "new.yaml"
) -> tuple[int, str, Path]:
    source, made = folder / "group.json", folder / "sites" / file
    source.write_text(json.dumps(document))
    command = [sys.executable, "-m", "fanfold.main", "migrate", str(source), str(made), *options]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, made


def test_a_group_of_ours_becomes_a_site_that_plans_the_same_functions(tmp_path: Path) -> None:
    (tmp_path / "mill.yaml").write_text(SITE)
    before = plan_group(*load_site(tmp_path / "mill.yaml", PROJECT / "device_profiles"))
    code, said, file = migrate(tmp_path, render(before), "--target", "iot", file="mill.yaml")
    assert code == 0, said
    site, profile = load_site(file, PROJECT / "device_profiles")
    after = plan_group(site, profile)
    assert (site.target, site.name, site.model.s3_uri) == ("iot", "mill", before.site.model.s3_uri)
    assert [f.id for f in after.functions] == [f.id for f in before.functions]
    assert site.volumes == before.site.volumes
    assert [c.name for c in site.cameras] == ["left", "right"]


def test_what_a_group_of_ours_has_set_is_carried_over_or_asked_for(tmp_path: Path) -> None:
    camera = '{name: left, source: "rtsp://10.0.0.9/x", fps: 2}'
    written = SITE.replace("{name: left}", camera) + "backlog: {max_images: 777}\nmax_wait_s: 3\n"
    (tmp_path / "mill.yaml").write_text(written)
    before = plan_group(*load_site(tmp_path / "mill.yaml", PROJECT / "device_profiles"))
    code, said, file = migrate(tmp_path, render(before), "--target", "iot", file="mill.yaml")
    assert code == 2, said
    site, _ = load_site(file, PROJECT / "device_profiles")
    assert site.cameras == before.site.cameras
    to_add = (file.parent / "mill.REPORT.md").read_text().partition("## Without")[0]
    asked = [line.partition(":")[0] for line in to_add.splitlines() if line.startswith("- ")]
    assert asked == ["- backlog.max_images", "- max_wait_s"]
    assert "the group has 777" in to_add


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
    for wanted in (
        "function hello", "hello → cloud on a: results reach AWS IoT on fanfold/new/results",
        "connectors/SNS", "device Cam_A: is camera cam-a now, whose thing is press-cam-a",
    ):  # fmt: skip
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


@pytest.mark.parametrize("name", ["Press_4.yaml", "press", "-x.yaml", "press.yml"])
def test_a_file_that_no_verb_would_find_as_a_site_is_refused(tmp_path: Path, name: str) -> None:
    code, said, file = migrate(tmp_path, FOREIGN, "--target", "v2", file=name)
    assert code == 2
    assert "a site's file is NAME.yaml" in said
    assert not file.exists()
    assert not list(tmp_path.rglob("*.REPORT.md"))


def test_a_profile_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    code, said, file = migrate(tmp_path, FOREIGN, "--profile", "raspberry")
    assert code == 2
    assert "--profile raspberry: no such file" in said
    assert "cpu-gateway-4core" in said
    assert not file.exists()


PREFIX = "arn:aws:iot:eu-west-1:123456789012:thing/"
LINE = "arn:aws:lambda:eu-west-1:123456789012:function:look:live"
PARTS = {
    "Core": {"Cores": [{"Id": "c", "ThingArn": f"{PREFIX}press", "CertificateArn": "x"}]},
    "Device": {"Devices": [
        {"Id": "a", "ThingArn": f"{PREFIX}Cam_1", "CertificateArn": "x"},
        {"Id": "b", "ThingArn": f"{PREFIX}cam-1", "CertificateArn": "x"},
    ]},
    "Function": {"Functions": [{"Id": "look", "FunctionArn": LINE, "FunctionConfiguration": {
        "Pinned": True, "Timeout": 9, "MemorySize": 65536, "Environment": {
            "Execution": {"IsolationMode": "NoContainer", "RunAs": {"Uid": 1001, "Gid": 1001}}}}}]},
    "Resource": {"Resources": [
        {"Id": "v1", "Name": "in", "ResourceDataContainer": {"LocalVolumeResourceData":
            {"SourcePath": "/srv/in", "DestinationPath": "/in"}}},
        {"Id": "v2", "Name": "out", "ResourceDataContainer": {"LocalVolumeResourceData":
            {"SourcePath": "/srv/out", "DestinationPath": "/out"}}},
        {"Id": "v3", "Name": "tmp", "ResourceDataContainer": {"LocalVolumeResourceData":
            {"SourcePath": "/srv/tmp", "DestinationPath": "/t"}}},
        {"Id": "m", "Name": "net", "ResourceDataContainer": {"S3MachineLearningModelResourceData":
            {"S3Uri": "s3://press/net.tar.gz", "DestinationPath": "/m"}}},
    ]},
    "Subscription": {"Subscriptions": [
        {"Id": "s", "Source": f"{PREFIX}Cam_1", "Subject": "raw", "Target": LINE},
        {"Id": "t", "Source": "cloud", "Subject": "orders", "Target": LINE},
    ]},
    "Logger": {"Loggers": [{"Id": "l", "Component": "Lambda", "Type": "FileSystem",
        "Level": "WARN", "Space": 2048}]},
}  # fmt: skip


def as_document(folder: Path) -> Path:
    merged = {name: each for part in PARTS.values() for name, each in part.items()}
    content = {"Name": "press", "Core": merged.pop("Cores")[0], "Lambdas": {}, **merged}
    (folder / "group.json").write_text(json.dumps(content))
    return folder / "group.json"


def as_template(folder: Path) -> Path:
    resources = {
        f"{kind}s": {"Type": f"AWS::Greengrass::{kind}Definition",
                     "Properties": {"Name": kind, "InitialVersion": part}}
        for kind, part in PARTS.items()
    }  # fmt: skip
    arns = {
        f"{kind}DefinitionVersionArn": {"Fn::GetAtt": [f"{kind}s", "LatestVersionArn"]}
        for kind in PARTS
    }
    group = {"Name": "press", "InitialVersion": arns}
    resources["Group"] = {"Type": "AWS::Greengrass::Group", "Properties": group}
    (folder / "template.json").write_text(json.dumps({"Resources": resources}))
    return folder / "template.json"


def as_export(folder: Path) -> Path:
    """The answers of the V1 API, as AWS's script keeps them."""
    place = "arn:aws:greengrass:eu-west-1:123456789012:/greengrass"
    arns = {f"{k}DefinitionVersionArn": f"{place}/definition/{k}/versions/1" for k in PARTS}
    group = {"Id": "abcd1234", "Arn": f"{place}/groups/abcd1234/versions/1", "Definition": arns}
    (folder / "group.json").write_text(json.dumps(group))
    for kind, part in PARTS.items():
        content = json.dumps({"Definition": part})
        (folder / f"{kind.lower()}s.json").write_text(content)
    (folder / "core.json").write_text((folder / "cores.json").read_text())
    return folder


def _read(source: Path, scratch: Path) -> Imported:
    return read_source(str(source), AwsClients(region="eu-west-1"), Given(scratch=scratch))


@pytest.mark.parametrize("source", [as_document, as_template, as_export])
@pytest.mark.parametrize("target", ["iot", "v2"])
def test_a_foreign_group_with_what_its_report_asks_for_is_a_site_that_plans(
    tmp_path: Path, source: Callable[[Path], Path], target: str
) -> None:
    imported = _read(source(tmp_path), tmp_path)
    made = as_site(imported.document, target, "this-machine", "press")
    asked = {sentence.partition(":")[0] for sentence in made.lacking}
    assert asked == ({"components.runtimes"} if target == "v2" else set())

    runtime = "s3://r/fanfold-runtime-01-x86_64-py3.11-onnxruntime.zip"
    added = {"components": {"runtimes": [runtime]}} if target == "v2" else {}
    (tmp_path / "press.yaml").write_text(json.dumps({**made.site, **added}))
    site, profile = load_site(tmp_path / "press.yaml", PROJECT / "device_profiles")
    assert plan_group(site, profile).site.target == target
    assert [camera.name for camera in site.cameras] == ["cam-1", "cam2"]
    assert (site.logging.level, site.logging.space_kb) == ("WARN", 2048)


def test_every_part_of_a_foreign_group_is_in_the_site_or_in_the_report(tmp_path: Path) -> None:
    imported = _read(as_document(tmp_path), tmp_path)
    made = as_site(imported.document, "v2", "this-machine", "press")
    said = "\n".join(made.report)
    for wanted in (
        "function look", "Cam_1 → look on raw: the camera publishes its images on press/images/cam",
        "cloud → look on orders: no counterpart", "volume tmp (/srv/tmp)", "RunAs uid 1001",
        "volumes.images is /srv/in", "device cam-1: is camera cam2 now",
    ):  # fmt: skip
        assert wanted in said


def test_a_core_without_a_thing_is_said(tmp_path: Path) -> None:
    code, said, file = migrate(tmp_path, {**FOREIGN, "Core": {"Id": "c"}})
    assert code == 2
    assert "ThingArn" in said
    assert "Traceback" not in said
    assert not file.exists()
