"""What goes wrong on the way to the cloud: one message each, with the remedy, nothing half-done."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from checkout import PROJECT
from cloud_plant import Plant

from fanfold.cloud.access import Access
from fanfold.cloud.preflight import refuse_missing_bucket, refuse_unreadable
from fanfold.common.errors import UserError
from fanfold.main import main

Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Verb:
    """Runs a verb as a shell would, against AWS or what stands for it, in a project of its own."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "device_profiles").symlink_to(PROJECT / "device_profiles")
    shutil.copy(PROJECT / "sites" / "demo.yaml", tmp_path / "sites")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FANFOLD_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    # boto3 keeps what it found when it was first asked in this process.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        said = capfd.readouterr()
        return code, said.err

    return run


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """An endpoint that answers every request with this status, error code and headers."""
    servers: list[ThreadingHTTPServer] = []

    def answer(status: int, code: str, **headers: str) -> None:
        body = (
            "<ErrorResponse><Error><Type>Sender</Type>"
            f"<Code>{code}</Code><Message>as asked</Message></Error></ErrorResponse>"
        ).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815 (the base class calls it so)

            def do_HEAD(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        _credentials(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")

    yield answer
    for server in servers:
        server.shutdown()
        server.server_close()


def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("name", ["deploy", "destroy", "diff", "rollback", "provision"])
def test_without_credentials_and_development_cloud_both_ways_out_are_named(verb, name):
    code, said = verb(name, "demo")

    assert code == 3
    assert "AWS_PROFILE" in said
    assert "fanfold devcloud start" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["deploy", "diff", "provision"])
def test_an_endpoint_that_does_not_answer_is_named(verb, name, monkeypatch):
    _credentials(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    code, said = verb(name, "demo", "--aws")

    assert code == 3
    assert "http://127.0.0.1:9" in said
    assert "AWS_ENDPOINT_URL" in said


@pytest.mark.parametrize("name", ["deploy", "destroy", "provision"])
def test_expired_credentials_are_to_be_renewed(verb, name, answering):
    answering(403, "ExpiredToken")

    code, said = verb(name, "demo", "--aws")

    assert code == 4
    assert "expired" in said
    assert "aws sso login" in said


def test_unknown_credentials_are_not_reported_as_a_mistake_in_the_site(verb, answering):
    answering(403, "InvalidClientTokenId")

    code, said = verb("deploy", "demo", "--aws")

    assert code == 4
    assert "does not accept these credentials" in said


def test_a_denied_right_is_named(verb, answering):
    answering(403, "AccessDenied")

    code, said = verb("deploy", "demo", "--aws")

    assert code == 4
    assert "GetCallerIdentity" in said


@pytest.fixture
def at_s3(verb) -> Access:
    """What the verbs ask S3 with, against whatever stands for AWS (`answering`)."""
    return Access("us-east-1", None)


def test_a_model_in_a_bucket_that_is_closed_to_us_names_the_right_to_ask_for(at_s3, answering):
    answering(403, "AccessDenied")

    with pytest.raises(UserError) as refused:
        refuse_unreadable(at_s3, "s3://line-models/press.tar.gz")

    said = str(refused.value)
    assert refused.value.exit_code == 4
    assert said.startswith(
        "model s3://line-models/press.tar.gz: bucket line-models is not readable"
    )
    assert "Ask for s3:GetObject on it" in said


def test_an_outbox_that_is_closed_to_us_names_the_right_to_ask_for(at_s3, answering):
    answering(403, "AccessDenied")

    with pytest.raises(UserError, match=r"outbox bucket hall-out: .* s3:ListBucket") as refused:
        refuse_missing_bucket(at_s3, "outbox bucket", "hall-out")

    assert refused.value.exit_code == 4


def test_a_model_that_s3_redirects_to_its_region_to_the_end_names_both(at_s3, answering):
    answering(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1")

    with pytest.raises(UserError, match="is in eu-west-1, the site in us-east-1") as refused:
        refuse_unreadable(at_s3, "s3://line-models/press.tar.gz")

    assert refused.value.exit_code == 2


@pytest.mark.parametrize(("there", "refused"), [("eu-west-1", True), ("us-east-1", False)])
def test_a_model_that_boto3_would_fetch_from_another_region_is_refused(
    at_s3, answering, there, refused
):
    answering(200, "", x_amz_bucket_region=there)

    if not refused:
        refuse_unreadable(at_s3, "s3://line-models/press.tar.gz")
        return
    with pytest.raises(UserError, match="line-models is in eu-west-1, the site in us-east-1"):
        refuse_unreadable(at_s3, "s3://line-models/press.tar.gz")


def test_without_node_nothing_is_begun(verb, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    code, said = verb("deploy", "demo")

    assert code == 3
    assert "nodejs.org" in said


# Against the development cloud.


def test_another_account_than_the_sites_is_refused(plant: Plant):
    plant.write(account="210987654321")

    said = plant.fanfold("deploy", plant.name)

    assert said.returncode == 2
    assert "123456789012" in said.stderr
    assert "210987654321" in said.stderr


def test_a_region_without_bootstrap_says_how_to_bootstrap_it(plant: Plant):
    said = plant.fanfold("deploy", plant.name, "--aws")

    assert said.returncode == 3
    assert "npx cdk bootstrap aws://123456789012/us-east-1" in said.stderr


@pytest.fixture
def bootstrapped(plant: Plant) -> Iterator[Plant]:
    """As if bootstrapped: what is tested here ends before the CDK begins."""
    ssm = plant.cloud.client("ssm")
    name = "/cdk-bootstrap/hnb659fds/version"
    ssm.put_parameter(Name=name, Value="30", Type="String", Overwrite=True)
    yield plant
    ssm.delete_parameter(Name=name)


def test_a_model_in_no_bucket_names_the_bucket(bootstrapped: Plant):
    said = bootstrapped.fanfold("deploy", bootstrapped.name, "--model", "s3://no-such-bucket/m.zip")

    assert said.returncode == 3
    assert "there is no bucket no-such-bucket" in said.stderr


def test_a_model_in_another_region_is_refused_by_deploy_with_both_regions(bootstrapped: Plant):
    bucket = f"{bootstrapped.name}-elsewhere"
    place = {"LocationConstraint": "eu-west-1"}
    s3 = bootstrapped.cloud.client("s3", "eu-west-1")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    s3.put_object(Bucket=bucket, Key="m.tar.gz", Body=b"")

    uri = f"s3://{bucket}/m.tar.gz"
    said = bootstrapped.fanfold("deploy", bootstrapped.name, "--aws", "--model", uri)

    assert said.returncode == 2
    assert f"model {uri}: bucket {bucket} is in eu-west-1, the site in us-east-1" in said.stderr
    assert "change `region` in the site's file" in said.stderr


def test_a_model_that_is_not_in_its_bucket_is_to_be_published(bootstrapped: Plant):
    uri = f"s3://{bootstrapped.bucket}/nowhere.tar.gz"
    said = bootstrapped.fanfold("deploy", bootstrapped.name, "--model", uri)

    assert said.returncode == 3
    assert "fanfold model publish" in said.stderr


def test_an_outbox_in_no_bucket_is_found_before_the_deployment(bootstrapped: Plant):
    bootstrapped.write(cloud={"outbox": {"bucket": "no-such-outbox"}})

    said = bootstrapped.fanfold("deploy", bootstrapped.name)

    assert said.returncode == 3
    assert "outbox bucket no-such-outbox" in said.stderr


def certificates(plant: Plant, **arns: str) -> None:
    folder = plant.folder / "sites" / "certificates"
    folder.mkdir(exist_ok=True)
    (folder / f"{plant.name}.json").write_text(json.dumps(arns))


def test_a_certificate_of_another_thing_is_refused(bootstrapped: Plant):
    plant, iot = bootstrapped, bootstrapped.clients["iot"]
    iot.create_thing(thingName=f"{plant.name}-stranger")
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_thing_principal(thingName=f"{plant.name}-stranger", principal=arn)
    certificates(plant, **{f"{plant.name}-core": arn})

    for verb in ("deploy", "provision"):
        said = plant.fanfold(verb, plant.name)

        assert said.returncode == 2, said.stderr
        assert f"belongs to thing {plant.name}-stranger" in said.stderr
        assert f"fanfold provision {plant.name}" in said.stderr


def test_a_certificate_that_is_gone_is_refused_by_deploy_and_made_anew_by_provision(
    bootstrapped: Plant,
):
    plant = bootstrapped
    gone = f"arn:aws:iot:us-east-1:123456789012:cert/{'a' * 64}"
    certificates(plant, **{f"{plant.name}-core": gone})

    assert "is not in the development cloud" in plant.fanfold("deploy", plant.name).stderr
    assert plant.fanfold("provision", plant.name).returncode == 0


STATES = {
    "UPDATE_ROLLBACK_FAILED": "npx cdk rollback",
    "DELETE_FAILED": "fanfold destroy",
    "UPDATE_IN_PROGRESS": "wait",
}


@pytest.mark.parametrize("state", STATES)
def test_a_stack_that_cannot_be_deployed_says_the_way_out(state):
    from fanfold.cloud.stack import Stack, refuse_unfit
    from fanfold.common.errors import UserError

    with pytest.raises(UserError) as refused:
        refuse_unfit("line-3", Stack(state, {}, "Group: it was deployed"))

    assert refused.value.exit_code == 4
    assert state in str(refused.value)
    assert "Group: it was deployed" in str(refused.value)
    assert STATES[state] in str(refused.value)


def test_a_damaged_record_of_certificates_is_not_a_traceback(plant: Plant):
    folder = plant.folder / "sites" / "certificates"
    folder.mkdir()
    (folder / f"{plant.name}.json").write_text("{")

    said = plant.fanfold("provision", plant.name)

    assert said.returncode == 2
    assert f"{plant.name}.json" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_site_of_the_tests_is_a_valid_one(plant: Plant):
    assert yaml.safe_load(plant.site_file.read_text())["name"] == plant.name
    assert plant.fanfold("plan", plant.name).returncode == 0
