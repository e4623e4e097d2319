"""Results in S3, by the real boto3 over HTTP: verified, tried again, once per object."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from site_environment import environment

from lambdas.aggregator.outbox import S3Sink, Upload, Uploader, objects
from lambdas.aggregator.store import LATE, RESULTS, Store
from lambdas.aggregator.tables import Row
from lambdas.common.settings import aggregator_settings

DEADLINE_S = 20.0


class FakeS3(BaseHTTPRequestHandler):
    """PutObject and HeadObject; the first `failing` puts are answered with 500."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.failing > 0:
            self.server.failing -= 1
            self._answer(500)
            return
        self.server.puts.append(self.path)
        self.server.objects[self.path] = (body, self.headers["x-amz-meta-sha256"])
        self._answer(200)

    def do_HEAD(self):
        body, digest = self.server.objects[self.path]
        self._answer(200, {"Content-Length": len(body), "x-amz-meta-sha256": digest})

    def _answer(self, status, headers=None):
        self.send_response(status)
        for name, value in (headers or {"Content-Length": 0}).items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def s3():
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeS3)
    server.failing, server.puts, server.objects = 0, [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def client(server):
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


def record(seq, status="ok"):
    return json.dumps({"stream": "cam1", "seq": seq, "status": status})


def test_an_object_is_tried_again_until_it_is_verified(s3):
    s3.failing = 1
    uploader = Uploader("bucket", lambda: client(s3))
    uploader.submit([Upload("a/b.jsonl", b"one\n")])
    assert uploader.finished.get(timeout=DEADLINE_S) == 1
    uploader.stop()
    assert s3.objects["/bucket/a/b.jsonl"][0] == b"one\n"


def test_a_restart_within_an_upload_writes_the_same_object(s3, tmp_path):
    env = environment(tmp_path, FANFOLD_OUTBOX_BUCKET="bucket", FANFOLD_OUTBOX_EVERY_S="0.1")
    settings = aggregator_settings(env)
    path = str(tmp_path / "store.sqlite3")
    store = Store(path, 1 << 20, ("s3",))
    store.begin_run("1f3c22aa", {"cam1": 1}, {})
    store.log(RESULTS, "cam1", (1, 2, 2), record(1) + "," + record(2))
    store.commit()
    store.adopt("5e1f")
    store.choose_window("s3", 1)
    store.log(RESULTS, "cam1", (3, 3, 1), record(3))
    store.close()

    store = Store(path, 1 << 20, ("s3",))
    uploader = Uploader("bucket", lambda: client(s3))
    sink = S3Sink(settings, store, uploader)
    now, deadline = 0.0, time.monotonic() + DEADLINE_S
    while sink.objects < 2 and time.monotonic() < deadline:
        now += 0.2
        sink.pump(now)
        threading.Event().wait(0.01)
    uploader.stop()
    assert s3.puts == [
        "/bucket/site%3Ddemo/epoch%3D1f3c22aa/stream%3Dcam1/000000000001-000000000002.jsonl",
        "/bucket/site%3Ddemo/epoch%3D1f3c22aa/stream%3Dcam1/000000000003-000000000003.jsonl",
    ]
    assert store.cursors["s3"] == 2


def test_gaps_stay_out_and_late_results_have_their_own_objects():
    rows = [
        Row(1, RESULTS, "cam1", 1, 2, 2, 0, record(1) + "," + record(2, "gap"), "a"),
        Row(2, LATE, "cam1", 2, 2, 1, 0, record(2), "a"),
        Row(3, RESULTS, "cam1", 1, 1, 1, 0, record(1), "b"),
    ]
    made = objects(rows, "results/site=demo")
    assert [upload.key for upload in made] == [
        "results/site=demo/epoch=a/stream=cam1/000000000001-000000000001.jsonl",
        "results/site=demo/epoch=a/stream=cam1/late/000000000002-000000000002.jsonl",
        "results/site=demo/epoch=b/stream=cam1/000000000001-000000000001.jsonl",
    ]
