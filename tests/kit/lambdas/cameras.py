"""Cameras for the grabber's tests: a real RTSP server, and HTTP ones of the standard library."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterator

import cv2
import numpy as np
import pytest

SERVER = str(Path(__file__).resolve().with_name("rtsp_server.py"))
SYSTEM_PYTHON = "/usr/bin/python3"
needs_rtsp = pytest.mark.skipif(
    not list(Path("/usr/lib").glob("*/girepository-1.0/GstRtspServer-1.0.typelib")),
    reason="needs GStreamer's RTSP server: see .ci/run for its packages",
)


GIGE_SERVER = str(Path(__file__).resolve().with_name("gige_server.py"))
needs_gige = pytest.mark.skipif(
    not list(Path("/usr/lib").glob("*/girepository-1.0/Aravis-0.8.typelib")),
    reason="needs Aravis's virtual camera: see .ci/run for its packages",
)


@contextlib.contextmanager
def gige_camera(form: str = "MONO_8") -> Iterator[subprocess.Popen[bytes]]:
    """At 127.0.0.1, of which there is one: its port is the standard's. `form`: Aravis's name."""
    with subprocess.Popen(
        [SYSTEM_PYTHON, GIGE_SERVER, form], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as server:
        try:
            said = server.stdout.readline()
            assert said, f"the camera did not start: {server.stderr.read().decode()}"
            yield server
        finally:
            server.kill()


def a_picture(pattern: str, fps: int = 20) -> str:
    """What the server serves: `ball` moves, `blue` is the same picture for ever."""
    video = f"video/x-raw,width=320,height=240,framerate={fps}/1,format=I420"
    source = f"videotestsrc is-live=true pattern={pattern} ! {video}"
    return f"( {source} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )"


class RtspCamera:
    """`process` may be stopped (SIGSTOP) and killed like a camera's power."""

    def __init__(self, launch: str, login: str = "") -> None:
        command = [SYSTEM_PYTHON, SERVER, launch, *([login] if login else [])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline() or 0)
        assert self.port, "the RTSP server did not start: see .ci/run for its packages"

    def url(self, login: str = "", path: str = "cam") -> str:
        return f"rtsp://{login + '@' if login else ''}127.0.0.1:{self.port}/{path}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def rtsp_camera(launch: str, login: str = "") -> Iterator[RtspCamera]:
    camera = RtspCamera(launch, login)
    try:
        yield camera
    finally:
        camera.end()
        camera.process.stdout.close()


def jpeg(number: int, width: int = 64, height: int = 48) -> bytes:
    """Pictures that differ."""
    pixels = np.full((height, width, 3), (number * 7) % 256, np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[BaseHTTPRequestHandler], None]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):
            self.server.answer(self)

    def log_message(self, *_args: Any) -> None:
        pass


@contextlib.contextmanager
def http_camera(
    answer: Callable[[BaseHTTPRequestHandler], None], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """A server on loopback that answers every GET by `answer`; its address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.answer = answer
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def reply(
    handler: BaseHTTPRequestHandler, body: bytes, kind: str = "image/jpeg", **more: str
) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in more.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def motion_jpeg(handler: BaseHTTPRequestHandler, pictures: Iterator[bytes], sized: bool) -> None:
    """Parts with Content-Length or without it, as cameras write both."""
    handler.send_response(200)
    handler.send_header("Content-Type", 'multipart/x-mixed-replace; boundary="--frame"')
    handler.end_headers()
    for picture in pictures:
        length = f"Content-Length: {len(picture)}\r\n" if sized else ""
        head = f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n"
        handler.wfile.write(head.encode() + picture + b"\r\n")
