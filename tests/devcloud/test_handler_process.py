"""Custom resources' handlers, run from their archive in a process of their own."""

from __future__ import annotations

import io
import zipfile

from devcloud.plugin.handler_process import Invocation, invoke

ANSWERING = """
import json, os, urllib.request
def handler(event, context):
    assert context.get_remaining_time_in_millis() > 0
    body = {"Status": "SUCCESS", "Data": {"seen": event["Say"], "env": os.environ["MINE"]}}
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT")
    urllib.request.urlopen(request)
"""


def call(code: str, timeout_s: float = 30.0) -> dict[str, object]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("index.py", code)
    return invoke(
        Invocation(
            archive=archive.getvalue(),
            handler="index.handler",
            event={"Say": "hello"},
            timeout_s=timeout_s,
            environment={"MINE": "yes", "AWS_LAMBDA_FUNCTION_NAME": "f"},
        )
    )


def test_the_handlers_answer_comes_back_with_its_data():
    assert call(ANSWERING) == {"Status": "SUCCESS", "Data": {"seen": "hello", "env": "yes"}}


def test_a_handler_that_raises_is_a_failure_with_its_last_line():
    answer = call("def handler(event, context): raise RuntimeError('broken')")

    assert answer["Status"] == "FAILED"
    assert "RuntimeError: broken" in str(answer["Reason"])


def test_a_handler_that_does_not_answer_is_a_failure():
    answer = call("def handler(event, context): pass")

    assert answer["Status"] == "FAILED"
    assert "did not answer" in str(answer["Reason"])


def test_a_handler_that_hangs_is_ended_after_its_timeout(monkeypatch):
    monkeypatch.setattr("devcloud.plugin.handler_process.GRACE_S", 0.1)

    answer = call("import threading\ndef handler(e, c): threading.Event().wait()", timeout_s=0.1)

    assert "still running" in str(answer["Reason"])
