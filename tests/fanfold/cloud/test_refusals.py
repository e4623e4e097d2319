"""What goes wrong on the way to the cloud: one message each, with the remedy, nothing half-done."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from checkout import PROJECT

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
