"""`fanfold trace`, against a page that serves a real trace book."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from edgecore.disk.process_mark import process_mark
from edgecore.web.dashboard.traces import TraceBook

MS = {"queue": 3.0, "read": 0.5, "transform": 8.0, "inference": 16.0, "order": 0.5}


def book() -> TraceBook:
    made = TraceBook()
    for seq, image, status in ((1, "m-17/0", "ok"), (2, "p-2", "failed")):
        made.published("cam1", image, 9.9)
        made.accepted("cam1", image, seq, 1)
        record = {"stream": "cam1", "seq": seq, "id": image, "status": status, "worker": "w0"}
        made.result({**record, "t_in": 10.0, "ms": MS}, 10.0 + seq / 10)
    made.cloud("cam1", 1, 11.0)
    return made


class Page(BaseHTTPRequestHandler):
    traces = book()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/api/traces" and not url.query:
            self._answer({"traces": [t.as_json() for t in self.traces.slowest(10)]})
            return
        if url.path == "/api/traces":
            found = self.traces.find(parse_qs(url.query)["id"][0])
            self._answer({"traces": [found.as_json()]} if found else None)
            return
        stream, seq = url.path.split("/")[-2:]
        found = self.traces.get(stream, int(seq))
        self._answer(found.as_json() if found else None)

    def _answer(self, body: object) -> None:
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def core(fanfold, tmp_path: Path) -> Iterator[None]:
    """A running core as `core.json` describes one; this process is it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        state = tmp_path / "state" / "core" / "hall"
        state.mkdir(parents=True)
        info = {"pid": os.getpid(), "group": "hall", "ports": {"http": server.server_port}}
        info |= process_mark(os.getpid()) or {}
        (state / "core.json").write_text(json.dumps(info))
        yield
        server.shutdown()


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("image", ["cam1/1", "m-17/0"])
def test_an_image_is_found_by_number_and_by_an_id_that_looks_like_one(fanfold, image):
    answer = json.loads(fanfold("trace", image, "--json").out)

    assert (answer["stream"], answer["seq"]) == ("cam1", 1)
    assert sum(s["ms"] for s in answer["stages"]) == pytest.approx(answer["total_ms"])


@pytest.mark.usefixtures("core")
def test_stages_are_listed_with_their_times_and_the_total(fanfold):
    said = fanfold("trace", "cam1/1")

    assert "inference" in said.out
    assert "16.0 ms" in said.out
    assert "1100.0 ms" in said.out


@pytest.mark.usefixtures("core")
def test_a_failed_image_says_where_its_reason_stands(fanfold):
    assert "fanfold history --status failed" in fanfold("trace", "cam1/2").err
    assert "fanfold history" not in fanfold("trace", "cam1/1").err


@pytest.mark.usefixtures("core")
def test_without_an_image_the_slowest_come_first(fanfold):
    said = fanfold("trace")

    assert said.out.index("cam1/1") < said.out.index("cam1/2")


@pytest.mark.usefixtures("core")
def test_an_image_that_is_not_kept_is_exit_code_3_and_says_what_to_name(fanfold):
    said = fanfold("trace", "cam1/99")

    assert said.code == 3
    assert "STREAM/SEQ" in said.err
