from __future__ import annotations

import errno
import json
from pathlib import Path

import archives
import groups
import pytest

from edgecore import deploy
from edgecore.disk import layout
from edgecore.sources import SourceError, check_newer, load
from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.fetch import Fetcher


def test_a_document_becomes_nouns_with_code_on_disk(tmp_path: Path) -> None:
    loaded = load(str(groups.write(tmp_path)), state=tmp_path / "state")

    function = loaded.group.functions[0]
    assert (function.pinned, function.timeout_s, function.encoding) == (True, 7, "binary")
    assert (function.isolation, function.environment) == ("NoContainer", {"GPU_ID": "0"})
    assert function.code is not None
    assert (function.code / "hello.py").read_text().startswith("def handler")
    assert loaded.group.core.thing_name == "demo-core"
    assert (loaded.folder / "lambdas" / "hello_live" / "hello.py").is_file()


def test_code_in_a_zip_is_unpacked(tmp_path: Path) -> None:
    archives.zipped(tmp_path / "code.zip", {"hello.py": b"1"})
    path = tmp_path / "document.json"
    path.write_text(json.dumps(groups.document(code="code.zip")))

    function = load(str(path), state=tmp_path / "state").group.functions[0]

    assert function.code is not None
    assert (function.code / "hello.py").read_bytes() == b"1"


def test_the_same_content_is_the_same_deployment(tmp_path: Path) -> None:
    path = str(groups.write(tmp_path))
    first = load(path, state=tmp_path / "state").deployment_id
    again = load(path, state=tmp_path / "state").deployment_id
    groups.write(tmp_path, body="def handler(e, c): return 1\n")
    changed = load(path, state=tmp_path / "state").deployment_id

    assert first == again != changed


def test_files_are_never_newer(tmp_path: Path) -> None:
    assert check_newer(str(groups.write(tmp_path)), current="x") is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Core": None}, "has no Core"),
        ({"Functions": [{"Id": "x"}]}, "FunctionArn is missing"),
        ({"Lambdas": {}}, "its code was not found"),
        ({"Devices": [groups.thing("demo-core")]}, "appears twice"),
        ({"Devices": {}}, None),
        ({"Devices": "x"}, "must be a list"),
        ({"code": "missing"}, "does not exist"),
    ],
)
def test_a_malformed_document_names_what_is_wrong(tmp_path: Path, changes, words) -> None:
    path = groups.write(tmp_path, **changes)
    if words is None:
        load(str(path), state=tmp_path / "state")
        return
    with pytest.raises(SourceError, match=words):
        load(str(path), state=tmp_path / "state")


@pytest.mark.parametrize("text", ["", "[" * 9_000, "[]", "{}", "no json", '{"a": 1}'])
def test_a_file_that_is_no_group_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(SourceError, match=r"x\.json"):
        load(str(path), state=tmp_path / "state")


def test_a_missing_file_is_a_missing_thing(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        load(str(tmp_path / "none.json"), state=tmp_path)
    assert caught.value.exit_code == 3


def test_what_this_core_cannot_do_is_a_finding_not_a_failure(tmp_path: Path) -> None:
    secret = {"Id": "s", "Name": "s", "ResourceDataContainer": {
        "SecretsManagerSecretResourceData": {"ARN": "arn:x"}}}  # fmt: skip
    unknown = {"Id": "u", "Name": "u", "ResourceDataContainer": {}}
    path = groups.write(tmp_path, Resources=[secret, unknown])

    loaded = load(str(path), state=tmp_path / "state")

    assert ["'u'" in finding for finding in loaded.findings] == [True]
    assert [each.arn for each in loaded.group.secrets] == ["arn:x"]
    assert loaded.group.resources == ()


def test_a_document_from_the_network_may_not_name_files_of_this_machine(tmp_path: Path) -> None:
    model = {"Id": "m", "ResourceDataContainer": {
        "S3MachineLearningModelResourceData": {
            "S3Uri": "file:///etc/passwd", "DestinationPath": "/m"}}}  # fmt: skip
    from_network = Fetcher(AwsClients(endpoint_url=None, region=None), tmp_path / "state")

    with pytest.raises(SourceError, match="s3://"):
        from_network.complete({"Resources": [model]})


def test_an_on_device_group_file_runs_with_the_code_beside_it(tmp_path: Path) -> None:
    arn = f"{groups.PREFIX}:Classify:4"
    code = tmp_path / "deployment" / "lambda" / arn
    code.mkdir(parents=True)
    (code / "run.py").write_text("handler = print\n")
    path = tmp_path / "deployment" / "group" / "group.json"
    path.parent.mkdir()
    volume = {"Id": "v", "Type": "LOCAL_VOLUME", "Data": {
        "type": "LocalVolumeResourceData", "SourcePath": "/images",
        "DestinationPath": "/input"}}  # fmt: skip
    deployed = {"Priority": 1, "Pinned": True, "Handler": "run.handler", "Runtime": "python2.7",
                "MemorySize": 128000, "Timeout": 10,
                "Environment": {"Variables": {"A": "b"}}}  # fmt: skip
    path.write_text(json.dumps({
        "Arn": "arn:aws:greengrass:us-west-2:000000000000:/greengrass/groups/g1/versions/v1",
        "Region": "us-west-2",
        "Cores": [{"thingArn": f"{groups.THINGS}/core", "certArn": f"{groups.CERTS}/c"}],
        "Devices": [],
        "GroupDefinitions": {
            "Resources": {"Content": [volume]},
            "Lambdas": {"Content": [{"FunctionArn": arn, "DeploymentConfiguration": deployed}]},
            "Subscriptions": {"Content": []},
            "Logging": {"Content": [
                {"Type": "FileSystem", "Component": "Lambda", "Level": "INFO", "Space": 128}]},
        },
    }))  # fmt: skip

    group = load(str(path), state=tmp_path / "state").group

    assert (group.id, group.version, group.region) == ("g1", "v1", "us-west-2")
    assert group.functions[0].handler == "run.handler"
    assert group.functions[0].memory_kb == 128000
    assert group.resources[0].source_path == "/images"
    assert group.loggers[0].space_kb == 128


def test_the_applied_group_is_read_back_from_disk_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    loaded = load(str(groups.write(tmp_path)), state=state)

    deploy.apply(state, loaded)

    found = deploy.current(state)
    assert found is not None
    assert found.group == loaded.group
    assert found.deployment_id == loaded.deployment_id


def _with_model(tmp_path: Path, uri: str) -> Path:
    document = groups.document()
    document["Resources"] = [
        {
            "Id": "model",
            "Name": "model",
            "ResourceDataContainer": {
                "S3MachineLearningModelResourceData": {"S3Uri": uri, "DestinationPath": "/model"}
            },
        }
    ]
    path = groups.write(tmp_path)
    path.write_text(json.dumps(document))
    return path


def test_a_model_of_this_machine_is_unpacked(tmp_path: Path) -> None:
    archives.zipped(tmp_path / "model.zip", {"model.json": b"{}"})
    path = _with_model(tmp_path, (tmp_path / "model.zip").as_uri())

    loaded = load(str(path), state=tmp_path / "state")

    assert (loaded.folder / "models" / "model" / "model.json").read_bytes() == b"{}"


def test_a_model_file_that_is_not_there_is_a_finding_where_no_function_needs_it(
    tmp_path: Path,
) -> None:
    path = _with_model(tmp_path, (tmp_path / "gone.zip").as_uri())

    assert any("gone.zip" in text for text in load(str(path), state=tmp_path / "state").findings)


def test_a_full_disk_is_said_in_words_and_leaves_no_group(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(layout, "stage", full)

    with pytest.raises(SourceError, match="No space left on device") as caught:
        load(str(groups.write(tmp_path)), state=tmp_path / "state")

    assert caught.value.exit_code == 3
    assert deploy.current(tmp_path / "state") is None
