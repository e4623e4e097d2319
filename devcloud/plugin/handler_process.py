"""One invocation of a custom resource's handler in a process of its own.

The handler answers as it does on AWS: an HTTP PUT to the event's `ResponseURL`, here an
address on loopback that takes exactly one answer.
"""

from __future__ import annotations

import io
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

log = logging.getLogger("devcloud")

GRACE_S = 5.0
THIS_RUNS_KEY = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""Set by devcloud/server.py: the handler talks to this cloud, and to no other."""
ANSWER_TIMEOUT_S = 10.0
ANSWER_BYTES = 65_536
"""CloudFormation takes 4 KB; who sends more has made a mistake."""
_BOOT = """
import importlib, json, os, sys, time
class Context:
    aws_request_id = "devcloud"
    log_stream_name = "devcloud"
    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    deadline = time.monotonic() + float(os.environ["DEVCLOUD_TIMEOUT_S"])
    def get_remaining_time_in_millis(self):
        return int(max(0.0, self.deadline - time.monotonic()) * 1000)
sys.path.insert(0, os.getcwd())
module, _, name = os.environ["_HANDLER"].rpartition(".")
handler = getattr(importlib.import_module(module.replace("/", ".")), name)
handler(json.load(sys.stdin), Context())
"""


@dataclass(frozen=True)
class Invocation:
    archive: bytes
    handler: str
    event: Mapping[str, Any]
    timeout_s: float
    environment: Mapping[str, str]


def invoke(call: Invocation) -> dict[str, Any]:
    """Run the handler and return its answer; a handler that gives none is a FAILED one."""
    with _AnswerServer() as answers, tempfile.TemporaryDirectory(prefix="devcloud-") as folder:
        with zipfile.ZipFile(io.BytesIO(call.archive)) as archive:
            archive.extractall(folder)
        reason = _run(call, {**call.event, "ResponseURL": answers.url}, folder)
        if answers.answer is not None:
            return answers.answer
    return {"Status": "FAILED", "Reason": f"{call.handler} did not answer: {reason}"}


def _run(call: Invocation, event: Mapping[str, Any], folder: str) -> str:
    """Run to the end or the timeout; the reason is for a handler that did not answer."""
    environment = {
        **_inherited(),
        **call.environment,
        "_HANDLER": call.handler,
        "DEVCLOUD_TIMEOUT_S": str(call.timeout_s),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", _BOOT],
            cwd=folder,
            env=environment,
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=call.timeout_s + GRACE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"still running after {call.timeout_s:.0f} s (its timeout)"
    for line in (done.stdout + done.stderr).splitlines():
        log.info("%s: %s", call.handler, line)
    last_line = done.stderr.strip().splitlines()[-1:] or ["no output"]
    return f"exit status {done.returncode}, {last_line[0]}"


def _inherited() -> dict[str, str]:
    """What a process needs to run at all; nothing of the user's cloud settings."""
    keep = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
            *THIS_RUNS_KEY)  # fmt: skip
    return {
        **{name: os.environ[name] for name in keep if name in os.environ},
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class _AnswerServer:
    """Takes one PUT on a free loopback port, from who knows the path: the handler alone."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self._path = f"/answer/{secrets.token_urlsafe(24)}"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = ANSWER_TIMEOUT_S

            def do_PUT(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                if not secrets.compare_digest(self.path, outer._path) or length > ANSWER_BYTES:
                    self.send_error(403)
                    return
                outer.answer = outer.answer or json.loads(self.rfile.read(length))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Quiet: the answer itself is what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}{self._path}"

    def __enter__(self) -> _AnswerServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
