"""The credentials provider of AWS IoT for one test: wants mutual TLS and a name, and can be ill."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from own_ca import OwnCa

from edgecore.uplink.iot.role_alias_request import expiry_text

#: From a path and a thing's name to a status and a body.
Upstream = Callable[[str, str | None], tuple[int, bytes]]


class Provider:
    """As the developer guide shows it. ``status`` and ``body`` instead of its own answer;
    ``life_s``: how long what it lends lives by its answer, whatever ``upstream`` says; ``date``:
    whether it tells the time. Devices of ``trusted`` may ask."""

    def __init__(
        self, folder: Path, ca: OwnCa, *, trusted: str = "", upstream: Upstream | None = None
    ) -> None:
        self.status, self.life_s, self.body = 200, 3600.0, b""
        self.date = True
        self.upstream = upstream
        self.asked: list[tuple[str, str | None]] = []
        certificate, key = ca.leaf("localhost").write(folder, "provider")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(cadata=ca.pem + trusted)
        context.verify_mode = ssl.CERT_REQUIRED
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                asked = self.path, self.headers.get("x-amzn-iot-thingname")
                provider.asked.append(asked)
                status, body = provider.answer(*asked)
                if provider.date:
                    self.send_response(status)
                else:
                    self.send_response_only(status)
                self.end_headers()
                self.wfile.write(body)

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that is cut off is what tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, path: str, thing: str | None) -> tuple[int, bytes]:
        if self.status != 200 or self.body:
            return self.status, self.body
        lent = {
            "accessKeyId": f"ASIA{len(self.asked)}", "secretAccessKey": "s", "sessionToken": "t",
        }  # fmt: skip
        if self.upstream is not None:
            status, body = self.upstream(path, thing)
            if status != 200:
                return status, body
            lent = json.loads(body)["credentials"]
        ends = expiry_text(time.time() + self.life_s)
        return 200, json.dumps({"credentials": {**lent, "expiration": ends}}).encode()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
