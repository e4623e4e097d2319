"""Whoever is told of an alert: an HTTP server, a mail server, a broker; none of them ours."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mosquitto import BROKER, free_port
from waiting import eventually


class Hook:
    """A webhook's other side; ``answers`` are given in order, the last one for ever."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers) or [200]
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((dict(self.headers), json.loads(body)))
                code = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word; its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def mail_server(inbox: Any, port: int = 0) -> Iterator[dict[str, Any]]:
    """aiosmtpd with these handlers; what the settings of a way by mail say of it."""
    controller = pytest.importorskip("aiosmtpd.controller", reason="needs aiosmtpd")
    port = port or free_port()
    server = controller.Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "core@plant.example"}
    finally:
        server.stop()


@contextlib.contextmanager
def plain_broker(folder: Path, port: int = 0, user: str = "") -> Iterator[int]:
    """mosquitto for anybody on loopback; its port. With ``user`` sessions outlive it."""
    port = port or free_port()
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true"]
    if user:
        lines += ["persistence true", f"persistence_location {folder}/", f"user {user}"]
    (folder / "plain.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [BROKER, "-c", str(folder / "plain.conf")], stderr=subprocess.DEVNULL
    )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens, "mosquitto listens")
        yield port
    finally:
        process.terminate()
        process.wait(10)
