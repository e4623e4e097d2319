"""A web server with a job's artifacts, which may be cut off, slow, or say no."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Slow:
    """A file that comes by a few bytes at a time, so that it would take minutes, until ``end``."""

    def __init__(self, bytes_a_time: int) -> None:
        self.bytes_a_time = bytes_a_time
        self.began, self.whole, self._over = (threading.Event() for _ in range(3))

    def serve(self, out: Any, content: bytes) -> None:
        self.began.set()
        sent = 0
        with contextlib.suppress(OSError):  # the device has had enough
            while sent < len(content):
                if self._over.wait(0.5):
                    return
                out.write(content[sent : sent + self.bytes_a_time])
                sent += self.bytes_a_time
            self.whole.set()

    def end(self) -> None:
        self._over.set()


class Files:
    """``files/{name}`` by HTTP with ranges; ``serve(name)`` may answer another status."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.status: Callable[[str], int] = lambda _name: 200
        self.cut_at: dict[str, int] = {}
        self._slow: dict[str, Slow] = {}
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    def slow(self, name: str, bytes_a_time: int) -> Slow:
        self._slow[name] = Slow(bytes_a_time)
        return self._slow[name]

    def write(self, out: Any, name: str, first: int) -> None:
        content = self.content.get(name, b"")
        if slow := self._slow.get(name):
            slow.serve(out, content[first:])
        else:
            out.write(content[first : self.cut_at.pop(name, len(content))])

    def put(self, name: str, content: bytes) -> dict[str, Any]:
        self.content[name] = content
        return {
            "uri": f"{self.url}/{name}", "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }  # fmt: skip


@contextmanager
def web_files() -> Iterator[Files]:
    files = Files()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path[1:].partition("?")[0]
            asked = self.headers.get("Range", "")
            files.asked.append((name, asked))
            status = files.status(self.path[1:])
            content = files.content.get(name, b"")
            first = int(asked[6:-1]) if asked else 0
            self.send_response(status if status != 200 else 206 if first else 200)
            self.send_header("Content-Length", str(len(content) - first))
            self.end_headers()
            if status == 200:
                files.write(self.wfile, name, first)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()
