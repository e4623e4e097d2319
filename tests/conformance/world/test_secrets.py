"""Secrets of the group, asked for with the published greengrasssdk (a stranger to this core)."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core_site import Site, device_site
from waiting import eventually

from edgecore.core.group import Function as GroupFunction
from edgecore.core.group import Group, ResourceAccess, SecretResource, Thing
from edgecore.core.options import CoreError
from edgecore.daemon.secret_keeper import SecretKeeper

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:press/token-AbCdEf"
OTHER = "arn:aws:secretsmanager:us-east-1:123456789012:secret:other-AbCdEf"
VALUE = "correct horse battery staple"
ASKS = """import greengrasssdk, hashlib
from greengrasssdk.SecretsManager import SecretsManagerError
client = greengrasssdk.client("secretsmanager")
for wanted in ("press/token", "{arn}", "other", "nobody", "later"):
    try:
        found = client.get_secret_value(SecretId=wanted)
        text = hashlib.sha256(found["SecretString"].encode()).hexdigest()
        print("HAS", wanted, found["Name"], found["CreatedDate"].year, text, flush=True)
    except SecretsManagerError as error:
        print("NOT", wanted, error, flush=True)
def handler(event, context):
    pass
""".replace("{arn}", ARN)


def resource(identity: str, arn: str) -> dict[str, Any]:
    data = {"SecretsManagerSecretResourceData": {"ARN": arn}}
    return {"Id": identity, "Name": identity, "ResourceDataContainer": data}


def private(path: Path, content: object, mode: int = 0o600) -> Path:
    path.write_text(json.dumps(content))
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with device_site(tmp_path_factory.mktemp("secrets")) as site:
        site.function("f", ASKS)
        environment = site.document["Functions"][0]["FunctionConfiguration"]["Environment"]
        environment["ResourceAccessPolicies"] = [{"ResourceId": "s"}, {"ResourceId": "later"}]
        later = OTHER.replace("other", "later")
        site.document["Resources"] = [
            resource("s", ARN), resource("o", OTHER), resource("later", later)
        ]  # fmt: skip
        file = private(site.folder / "secrets.json", {"press/token": VALUE, "other": "x"})
        site.start("--secrets", str(file))
        eventually(lambda: "later" in site.log("f"), "the function has asked five times")
        yield site


def test_the_sdk_gets_a_secret_by_its_name_and_its_arn(shared: Site) -> None:
    import hashlib

    got = [line.split() for line in shared.log("f").splitlines() if line.startswith("HAS")]
    digest = hashlib.sha256(VALUE.encode()).hexdigest()
    assert [(line[1], line[2], line[4]) for line in got] == [
        ("press/token", "press/token", digest), (ARN, "press/token", digest)
    ]  # fmt: skip


def test_what_a_function_may_not_read_raises_the_sdks_error(shared: Site) -> None:
    said = {
        line.split()[1]: line for line in shared.log("f").splitlines() if line.startswith("NOT")
    }
    assert "403" in said["other"]
    assert "ResourceAccessPolicies" in said["other"]
    assert "404" in said["nobody"]
    assert "--secrets FILE" in said["later"]
    findings = [f for f in shared.status()["findings"] if f.startswith("secret ")]
    assert len(findings) == 1
    assert "secret later: has no value" in findings[0]


def test_a_secrets_value_is_in_no_file_of_the_core(shared: Site) -> None:
    files = [p for p in shared.state.rglob("*") if p.is_file()]
    assert shared.state / "secrets" / "values" in files
    assert [p for p in files if VALUE.encode() in p.read_bytes()] == []
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (shared.state / "secrets").iterdir()}
    assert modes == {0o600}


def group() -> Group:
    core = Thing(id="c", thing_name="c", thing_arn="arn:aws:iot:::thing/c", certificate_arn="")
    function = GroupFunction(id="f", arn="arn:f", access=(ResourceAccess(resource_id="s"),))
    secret = SecretResource(id="s", name="s", arn=ARN, stages=("AWSPREVIOUS",))
    return Group(name="g", id="g", version="1", region="us-east-1", core=core,
        functions=(function,), secrets=(secret,))  # fmt: skip


def test_secrets_manager_gives_both_versions_and_an_outage_the_kept_ones(tmp_path: Path) -> None:
    import boto3
    from moto import mock_aws

    async def story(client: Any, keeper: SecretKeeper, wanted: Group, stage: str) -> Any:
        keeper.use(wanted, client)
        request = json.dumps({"SecretId": wanted.secrets[0].arn, "VersionStage": stage})
        return json.loads(await keeper.answer("arn:f", request.encode()))

    def away() -> Any:
        class Client:
            def get_secret_value(self, **_: str) -> None:
                raise OSError("the line is down")

        return Client()

    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    with mock_aws():
        manager = boto3.client("secretsmanager", region_name="us-east-1", **keys)
        arn = manager.create_secret(Name="press/token", SecretString="old")["ARN"]
        manager.put_secret_value(SecretId=arn, SecretString="new")
        wanted = group()
        secret = SecretResource(id="s", name="s", arn=arn, stages=("AWSPREVIOUS",))
        wanted = Group(**{**wanted.__dict__, "secrets": (secret,)})
        keeper = SecretKeeper(tmp_path, None)
        now = asyncio.run(story(lambda: manager, keeper, wanted, "AWSCURRENT"))
        assert now["SecretString"] == "new"
    again = SecretKeeper(tmp_path, None)
    kept = asyncio.run(story(away, again, wanted, "AWSPREVIOUS"))
    assert kept["SecretString"] == "old"
    assert "an earlier start" in "".join(again.findings())


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [({"press/token": "x"}, 0o644, "chmod 600"), ({"press/token": 7}, 0o600, "must be text")],
)
def test_an_unusable_file_of_secrets_is_refused(
    tmp_path: Path, content: object, mode: int, words: str
) -> None:
    keeper = SecretKeeper(tmp_path, private(tmp_path / "s.json", content, mode))
    with pytest.raises(CoreError, match=words):
        keeper.use(group(), None)
