"""The real boto3 clients against moto: a group deployed there is what runs here."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import uuid
import zipfile
from pathlib import Path

import boto3
import groups
import pytest
from botocore.loaders import JSONFileLoader

from edgecore import deploy
from edgecore.core.group import MachineLearningModel
from edgecore.sources import SourceError, check_newer, load
from edgecore.sources import fetch as fetching


def _zip(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Site:
    """One group in moto, under a name of its own."""

    def __init__(self, url: str, codes: Path) -> None:
        self.url = url
        self.name = f"site-{uuid.uuid4().hex[:8]}"
        self.model_key = "m.tar.gz"
        self._codes = codes
        self.client = {
            service: boto3.client(service, endpoint_url=url, region_name="us-east-1")
            for service in ("greengrass", "iot", "s3")
        }
        self.client["s3"].create_bucket(Bucket=self.name)
        self.put_model(b"one")
        iot = self.client["iot"]
        self.things = {}
        for role in ("core", "cam1"):
            arn = iot.create_thing(thingName=f"{self.name}-{role}")["thingArn"]
            certificate = iot.create_keys_and_certificate(setAsActive=True)
            self.things[role] = {"Id": role, "ThingArn": arn,
                                 "CertificateArn": certificate["certificateArn"]}  # fmt: skip
        self.group_id = self.client["greengrass"].create_group(Name=self.name)["Id"]

    def put_model(self, content: bytes) -> None:
        self.client["s3"].put_object(
            Bucket=self.name, Key="m.tar.gz", Body=_tar({"model.json": content})
        )

    def _definition(self, kind: str, version: dict) -> dict:
        create = getattr(self.client["greengrass"], f"create_{kind}_definition")
        arn = create(InitialVersion=version)["LatestVersionArn"]
        return {f"{kind.capitalize()}DefinitionVersionArn": arn}

    def deploy(self, pinned: bool = True) -> str:
        arn = f"{groups.PREFIX}:{self.name}-hello:live"
        function = {
            "Id": "hello",
            "FunctionArn": arn,
            "FunctionConfiguration": {
                "Pinned": pinned,
                "MemorySize": 65536,
                "Timeout": 9,
                "Environment": {
                    "Variables": {"GPU_ID": "1"},
                    "ResourceAccessPolicies": [{"ResourceId": "model", "Permission": "ro"}],
                },
            },
        }
        model = {
            "Id": "model",
            "Name": "model",
            "ResourceDataContainer": {
                "S3MachineLearningModelResourceData": {
                    "S3Uri": f"s3://{self.name}/{self.model_key}",
                    "DestinationPath": "/fanfold/model",
                }
            },
        }
        subscription = {"Id": "s", "Source": arn, "Subject": "x/#", "Target": "cloud"}
        arns = {
            **self._definition("core", {"Cores": [self.things["core"]]}),
            **self._definition("device", {"Devices": [self.things["cam1"]]}),
            **self._definition("function", {"Functions": [function]}),
            **self._definition("resource", {"Resources": [model]}),
            **self._definition("subscription", {"Subscriptions": [subscription]}),
        }
        greengrass = self.client["greengrass"]
        version = greengrass.create_group_version(GroupId=self.group_id, **arns)["Version"]
        self.version = version
        return greengrass.create_deployment(
            GroupId=self.group_id, GroupVersionId=version, DeploymentType="NewDeployment"
        )["DeploymentId"]


@pytest.fixture
def site(moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """moto's Lambda needs Docker and its ``Code.Location`` leads to AWS, so the answer of
    ``GetFunction`` is made here and its code lies in moto's S3, fetched by real HTTP."""
    site = Site(moto_url, tmp_path)
    code = _zip({"hello.py": "handler = print\n"})
    site.client["s3"].put_object(Bucket=site.name, Key="code.zip", Body=code)
    location = site.client["s3"].generate_presigned_url(
        "get_object", Params={"Bucket": site.name, "Key": "code.zip"}
    )
    import base64
    import hashlib

    site.answer = {
        "Configuration": {
            "FunctionName": f"{site.name}-hello",
            "Handler": "hello.handler",
            "Runtime": "python3.8",
            "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        },
        "Code": {"Location": location},
    }
    from edgecore.sources.aws_clients import AwsClients

    real = AwsClients.client

    class Lambda:
        def get_function(self, FunctionName: str):  # noqa: N803
            return json.loads(json.dumps(site.answer))

    monkeypatch.setattr(
        AwsClients,
        "client",
        lambda self, service: Lambda() if service == "lambda" else real(self, service),
    )
    return site


def _load(site, state: Path):
    return load(f"greengrass:{site.name}", state=state, endpoint_url=site.url, region="us-east-1")


def test_the_latest_deployment_comes_with_code_model_and_certificates(site, tmp_path) -> None:
    deployment = site.deploy()

    loaded = _load(site, tmp_path)

    group = loaded.group
    function = group.functions[0]
    assert loaded.deployment_id == deployment
    assert group.id == site.group_id
    assert (function.pinned, function.timeout_s, function.runtime) == (True, 9, "python3.8")
    assert function.environment == {"GPU_ID": "1"}
    assert function.code is not None
    assert (function.code / "hello.py").read_text() == "handler = print\n"
    (model,) = group.resources
    assert isinstance(model, MachineLearningModel)
    assert model.path is not None
    assert (model.path / "model.json").read_bytes() == b"one"
    assert group.core.certificate_pem is not None
    assert "BEGIN CERTIFICATE" in group.core.certificate_pem
    assert group.devices[0].thing_name == f"{site.name}-cam1"


def test_the_group_is_found_by_id_as_well(site, tmp_path) -> None:
    site.deploy()
    found = load(
        f"greengrass:{site.group_id}", state=tmp_path, endpoint_url=site.url, region="us-east-1"
    )

    assert found.group.name == site.name


def test_what_did_not_change_is_not_downloaded_again(site, tmp_path, monkeypatch) -> None:
    site.deploy()
    deploy.apply(tmp_path, _load(site, tmp_path))
    site.deploy(pinned=False)
    monkeypatch.setattr(fetching, "_download", lambda *_: pytest.fail("code downloaded again"))
    monkeypatch.setattr(
        fetching.Fetcher, "_download_model", lambda *_: pytest.fail("model downloaded again")
    )

    assert _load(site, tmp_path).group.functions[0].pinned is False


def test_a_model_that_changed_under_the_same_key_is_fetched_at_the_next_deployment(
    site, tmp_path
) -> None:
    site.deploy()
    old = deploy.apply(tmp_path, _load(site, tmp_path))
    site.put_model(b"two")
    site.deploy()
    new = deploy.apply(tmp_path, _load(site, tmp_path))

    contents = [(one.group.resources[0].path / "model.json").read_bytes() for one in (old, new)]
    assert contents == [b"one", b"two"]


def test_polling_tells_a_newer_deployment_and_only_that(site) -> None:
    source, place = f"greengrass:{site.name}", {"endpoint_url": site.url, "region": "us-east-1"}
    first = site.deploy()

    assert check_newer(source, current=None, **place) == first
    assert check_newer(source, current=first, **place) is None
    second = site.deploy()
    assert check_newer(source, current=first, **place) == second


def test_a_poll_parses_no_description_of_an_api_again(site, monkeypatch) -> None:
    site.deploy()
    place = {"endpoint_url": site.url, "region": "us-east-1"}
    check_newer(f"greengrass:{site.name}", current=None, **place)
    read: list[str] = []
    real = JSONFileLoader.load_file
    noted = lambda self, path: read.append(path) or real(self, path)  # noqa: E731
    monkeypatch.setattr(JSONFileLoader, "load_file", noted)

    check_newer(f"greengrass:{site.name}", current=None, **place)

    assert read == []


def test_code_that_does_not_match_its_announced_hash_is_refused(site, tmp_path) -> None:
    site.deploy()
    site.client["s3"].put_object(Bucket=site.name, Key="code.zip", Body=_zip({"evil.py": "1"}))

    with pytest.raises(SourceError, match="SHA-256"):
        _load(site, tmp_path)
    assert not list((tmp_path / "cache" / "code").glob("*"))


def test_a_model_replaced_under_an_address_that_pins_it_is_refused(site, tmp_path) -> None:
    content = _tar({"model.json": b"mine"})
    key = f"m-{hashlib.sha256(content).hexdigest()}.tar.gz"
    site.client["s3"].put_object(Bucket=site.name, Key=key, Body=content)
    site.model_key = key
    site.deploy()
    _load(site, tmp_path / "before")

    site.client["s3"].put_object(Bucket=site.name, Key=key, Body=_tar({"model.json": b"theirs"}))
    with pytest.raises(SourceError, match=r"model 'model'.*the object was replaced or damaged"):
        _load(site, tmp_path / "after")
    assert not list((tmp_path / "after").rglob("model.json"))


def test_a_hostile_model_is_refused_by_name(site, tmp_path) -> None:
    site.client["s3"].put_object(Bucket=site.name, Key="m.tar.gz", Body=_tar({"../../evil": b"x"}))
    site.deploy()

    with pytest.raises(SourceError, match=r"model 'model'.*leads outside"):
        _load(site, tmp_path)
    assert not list(tmp_path.rglob("evil"))


def test_a_missing_model_says_where_it_should_be(site, tmp_path) -> None:
    site.client["s3"].delete_object(Bucket=site.name, Key="m.tar.gz")
    site.deploy()

    with pytest.raises(SourceError, match=f"s3://{site.name}/m.tar.gz") as caught:
        _load(site, tmp_path)
    assert caught.value.exit_code == 4


def test_a_group_that_is_not_there_or_not_deployed_is_a_missing_thing(site, tmp_path) -> None:
    for name, words in (
        ("nobody", r"not found; groups there: .*Deploy it \(fanfold deploy\)"),
        (site.name, "no deployment"),
    ):
        with pytest.raises(SourceError, match=words) as caught:
            load(f"greengrass:{name}", state=tmp_path, endpoint_url=site.url, region="us-east-1")
        assert caught.value.exit_code == 3


def test_a_reset_deployment_leaves_nothing_to_run(site, tmp_path) -> None:
    site.deploy()
    # moto's server has no route for ResetDeployments; what it records is the same.
    site.client["greengrass"].create_deployment(
        GroupId=site.group_id, DeploymentType="ForceResetDeployment", GroupVersionId=site.version
    )

    with pytest.raises(SourceError, match="no deployment"):
        _load(site, tmp_path)


def test_an_endpoint_that_is_not_there_is_explained(tmp_path) -> None:
    with pytest.raises(SourceError, match="endpoint") as caught:
        load("greengrass:x", state=tmp_path, endpoint_url="http://127.0.0.1:9", region="us-east-1")
    assert caught.value.exit_code == 3
