"""The development cloud runs code for whoever it lets in: it lets in who holds this run's key."""

from __future__ import annotations

import http.client
import json
import os
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime, timezone
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from devcloud.auth.keys import Key
from devcloud.auth.signature import Request as Signed
from devcloud.auth.signature import SignatureRefused, claim_of, verify

TEMPLATE = json.dumps({"Resources": {"R": {"Type": "AWS::S3::Bucket"}}})
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#: What the page of a stranger sends: it knows the protocol, but no key.
GUESSED = (
    "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/cloudformation/aws4_request, "
    f"SignedHeaders=host, Signature={'0' * 64}"
)


def create_stack(name: str) -> bytes:
    fields = {"Action": "CreateStack", "Version": "2010-05-15", "StackName": name}
    return urlencode({**fields, "TemplateBody": TEMPLATE}).encode()


def signed(cloud, body: bytes, host: str | None = None) -> dict[str, str]:
    """Headers of a CloudFormation call, rightly signed for `host`."""
    request = AWSRequest("POST", f"http://{host or f'localhost:{cloud.port}'}/", FORM, data=body)
    key = Credentials(cloud.key.id, cloud.key.secret)
    SigV4Auth(key, "cloudformation", "us-east-1").add_auth(request)
    return dict(request.headers)


def send(cloud, method: str, headers: dict[str, str], body: bytes = b"", path: str = "/"):
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def stacks(cloud) -> list[str]:
    found = cloud.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in found]


def test_the_holder_of_the_key_is_let_in(cloud):
    body = create_stack("mine")

    answer, text = send(
        cloud, "POST", {**signed(cloud, body), "Host": f"localhost:{cloud.port}"}, body
    )

    assert answer.status == 200, text
    assert "mine" in stacks(cloud)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "MissingAuthenticationToken"),
        ({"Authorization": GUESSED}, "IncompleteSignature"),
        ({"Authorization": GUESSED.replace("x/", "devcloud/"), "X-Amz-Date": "20260101T000000Z"},
         "InvalidClientTokenId"),
    ],
)  # fmt: skip
def test_who_holds_no_key_is_refused_by_name_and_makes_nothing(cloud, headers, code):
    before = stacks(cloud)

    answer, text = send(cloud, "POST", {**FORM, **headers}, create_stack("theirs"))

    assert answer.status == 403
    assert code in text
    assert stacks(cloud) == before


@pytest.mark.parametrize(
    "marks",
    [{"Origin": "https://holiday.example"}, {"Origin": "null"}, {"Sec-Fetch-Mode": "no-cors"}],
)
def test_a_web_page_is_refused_even_with_a_signature_and_may_not_read_the_answer(cloud, marks):
    body = create_stack("drive-by")
    host = {"Host": f"localhost:{cloud.port}"}

    answer, text = send(cloud, "POST", {**signed(cloud, body), **host, **marks}, body)

    assert answer.status == 403
    assert "web page" in text
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-contr")]
    assert "drive-by" not in stacks(cloud)


def test_a_preflight_is_not_answered(cloud):
    asks = {"Origin": "https://holiday.example", "Access-Control-Request-Method": "POST"}

    answer, _ = send(cloud, "OPTIONS", asks)

    assert answer.status == 403
    assert answer.getheader("Access-Control-Allow-Origin") is None


def test_a_name_that_was_pointed_at_this_machine_is_not_this_cloud(cloud):
    host = f"rebound.example:{cloud.port}"
    body = create_stack("rebound")

    answer, text = send(cloud, "POST", {**signed(cloud, body, host), "Host": host}, body)

    assert answer.status == 403
    assert "rebound.example" in text


@pytest.mark.parametrize("path", ["", "data.json", "reset", "devcloud/health", "devcloud/messages"])
def test_the_window_and_the_controls_of_moto_are_behind_the_same_door(cloud, path):
    answer, text = send(
        cloud, "POST" if path.endswith("reset") else "GET", {}, path=f"/moto-api/{path}"
    )

    assert answer.status == 403
    assert "MissingAuthenticationToken" in text


def test_another_user_of_the_machine_reads_no_key_and_is_refused(cloud):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    ready = cloud.state_dir / "devcloud.json"
    body = create_stack("neighbour").decode()
    command = (
        f"cat {ready}; curl -s localhost:{cloud.port} -H 'Authorization: {GUESSED}' -d '{body}'"
    )

    done = subprocess.run(
        ["sh", "-c", command], user=65534, group=65534, extra_groups=[],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert stat.S_IMODE(ready.stat().st_mode) == 0o600
    assert cloud.key.secret not in done.stdout
    assert "Permission denied" in done.stderr
    assert "<Code>" in done.stdout
    assert "neighbour" not in stacks(cloud)


def test_the_key_stands_neither_in_the_log_nor_on_the_command_line(cloud):
    cmdline = open(f"/proc/{cloud.pid}/cmdline").read()  # noqa: PTH123, SIM115

    assert cloud.key.secret not in cmdline
    assert cloud.key.secret not in (cloud.state_dir / "server.log").read_text()
    assert cloud.key.secret not in repr(cloud)


def test_a_signed_url_opens_one_object_and_nothing_else(cloud):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="door-urls")
    s3.put_object(Bucket="door-urls", Key="a b+c.txt", Body=b"yes")
    v4 = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=cloud.url,
        aws_access_key_id=cloud.key.id, aws_secret_access_key=cloud.key.secret,
        config=Config(signature_version="s3v4"),
    )  # fmt: skip
    url = v4.generate_presigned_url("get_object", {"Bucket": "door-urls", "Key": "a b+c.txt"})

    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"yes"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("a%20b", "other"), timeout=10)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.partition("?")[0], timeout=10)


def test_a_session_of_sts_works_and_a_made_up_token_does_not(cloud):
    given = cloud.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/any", RoleSessionName="door"
    )["Credentials"]

    def who(token: str) -> str:
        client = boto3.client(
            "sts", region_name="us-east-1", endpoint_url=cloud.url,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"], aws_session_token=token,
        )  # fmt: skip
        return client.get_caller_identity()["Arn"]

    assert who(given["SessionToken"]).endswith("assumed-role/any/door")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        who("made-up")


def test_an_sdk_with_a_former_key_is_told_how_to_get_the_present_one(cloud):
    old = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=cloud.url,
        aws_access_key_id="AKIAOLDKEY", aws_secret_access_key="gone",
    )  # fmt: skip

    with pytest.raises(ClientError, match="fanfold devcloud env"):
        old.list_buckets()


def _request(body: bytes = b"x") -> Signed:
    made = AWSRequest("PUT", "http://localhost:1/b/k?x=1&a=%20", {}, data=body)
    SigV4Auth(Credentials("AKIA", "secret"), "iot", "us-east-1").add_auth(made)
    headers = {name.lower(): value for name, value in made.headers.items()}
    return Signed("PUT", "/b/k", "x=1&a=%20", {**headers, "host": "localhost:1"}, body)


@pytest.mark.parametrize(
    "changes",
    [{"method": "GET"}, {"path": "/b/other"}, {"query": "x=2&a=%20"}, {"body": b"y"}],
    ids=lambda changes: next(iter(changes)),
)
def test_no_signed_part_of_a_request_can_be_changed(changes):
    good = _request()
    claim, now = claim_of(good), datetime.now(timezone.utc)
    verify(good, claim, "secret", now)

    with pytest.raises(SignatureRefused):
        verify(Signed(**{**vars(good), **changes}), claim, "secret", now)


def test_a_signature_is_good_for_a_quarter_of_an_hour():
    good = _request()
    claim = claim_of(good)

    with pytest.raises(SignatureRefused, match="clock says"):
        verify(good, claim, "secret", claim.moment + claim.life * 1.01)


def test_every_run_has_a_key_of_its_own():
    assert Key.random() != Key.random()


def test_find_by_another_folder_finds_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "devcloud", "status", "--state", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
