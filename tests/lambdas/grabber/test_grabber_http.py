"""The grabber against HTTP cameras: snapshots and Motion JPEG, byte for byte."""

from __future__ import annotations

import hashlib
import itertools
import re
import signal
import ssl
import subprocess
import threading
import time

import pytest
from cameras import http_camera, jpeg, motion_jpeg, reply
from grabber_kit import Site
from waiting import eventually

from lambdas.grabber import watch


def site(folder, address, **given):
    return Site(folder, [{"name": "cam1", "source": address, **given}])


def forever(every_s=0.02, size=(64, 48)):
    for number in itertools.count():
        yield jpeg(number, *size)
        time.sleep(every_s)


@pytest.mark.parametrize("sized", [True, False], ids=["with a length", "without"])
def test_parts_of_motion_jpeg_are_sent_as_the_camera_wrote_them(tmp_path, sized):
    known = {jpeg(number) for number in range(256)}
    camera = http_camera(lambda h: motion_jpeg(h, forever(), sized))
    with camera as address, site(tmp_path, address + "/video").running() as grabber:
        grabber.has(4)

    assert {frame["content"] for frame in grabber.bus.accepted} <= known


def test_a_snapshot_is_fetched_at_the_sites_rate(tmp_path):
    asked = []

    def answer(handler):
        asked.append(handler.path)
        reply(handler, jpeg(len(asked)))

    with http_camera(answer) as address:
        s = site(tmp_path, address + "/snap.jpg?channel=1", fps=10)
        with s.running():
            s.has(5)
        count = len(s.bus.seen)

    assert set(asked) == {"/snap.jpg?channel=1"}
    assert len(asked) <= count + 2


@pytest.mark.parametrize("offered", [[""], ["SHA-256", "MD5"]], ids=["MD5", "SHA-256 first"])
def test_a_digest_login_works_with_each_algorithm_that_cameras_ask_for(tmp_path, offered):
    made = hashlib.sha256 if offered[0] else hashlib.md5

    def hashed(text):
        return made(text.encode()).hexdigest()

    def digest(handler):
        given = handler.headers.get("Authorization", "")
        fields = dict(re.findall(r'(\w+)="?([^",]+)', given))
        ha1, ha2 = hashed("joe:cam:s@e/cä"), hashed(f"GET:{handler.path}")
        text = f"{ha1}:{fields.get('nonce')}:{fields.get('nc')}:{fields.get('cnonce')}:auth:{ha2}"
        if fields.get("response") == hashed(text):
            return reply(handler, jpeg(int(time.time() * 50)))
        handler.send_response(401)
        for name in offered:
            kind = f", algorithm={name}" if name else ""
            asked = f'Digest realm="cam", nonce="n1", qop="auth"{kind}'
            handler.send_header("WWW-Authenticate", asked)
        handler.send_header("Content-Length", "0")
        return handler.end_headers()

    with http_camera(digest) as address:
        s = site(tmp_path, address.replace("//", "//{secret:cam1}@") + "/snap")
        s.secret("cam1", "joe:s@e/cä")
        with s.running():
            s.has(2)


def test_a_login_that_is_sent_on_to_another_port_is_told_where_to(tmp_path):
    def asks(handler):
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", 'Basic realm="cam"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def sends_on(handler):
        handler.send_response(302)
        handler.send_header("Location", target + "/snap?key=1")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with http_camera(asks) as target, http_camera(sends_on) as address:
        s = site(tmp_path, address.replace("//", "//{secret:cam1}@") + "/snap")
        s.secret("cam1", "joe:secret1")
        with s.running():
            sentence = s.away("moved")

    assert f"{target}/snap," in sentence
    assert "secret1" not in sentence


def test_a_certificate_that_the_device_does_not_trust_is_told_by_name(tmp_path):
    names = ["-subj", "/CN=camera", "-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "c")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(tmp_path / "c"), str(tmp_path / "k"))
    with http_camera(lambda h: reply(h, jpeg(1)), context) as address:
        with site(tmp_path, address + "/snap").running() as s:
            assert "self" in s.away("certificate")
        with site(tmp_path, address.replace("https", "http")).running() as s:
            s.away("ended")


def test_a_snapshot_that_breaks_off_is_no_picture(tmp_path):
    def half(handler):
        picture = jpeg(1)
        handler.send_response(200)
        handler.send_header("Content-Type", "image/jpeg")
        handler.send_header("Content-Length", str(len(picture)))
        handler.end_headers()
        handler.wfile.write(picture[: len(picture) // 2])

    with http_camera(half) as address, site(tmp_path, address).running() as s:
        s.away("ended")
        assert not s.bus.seen


def test_a_camera_that_keeps_its_connections_open_is_not_waited_for(tmp_path):
    def keeps(handler):
        handler.close_connection = False
        reply(handler, jpeg(int(time.time() * 50)))
        stop.wait(20)

    stop = threading.Event()
    with http_camera(keeps) as address, site(tmp_path, address, stall_s=15).running() as s:
        s.has(2)
        stop.set()


@pytest.mark.parametrize(
    ("status", "code"), [(401, "unauthorized"), (404, "not_found"), (503, "server")]
)
def test_what_the_camera_answers_instead_is_told(tmp_path, status, code):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with http_camera(answer) as address, site(tmp_path, address).running() as s:
        s.away(code)


def test_a_web_page_instead_of_a_picture_is_told_by_name(tmp_path):
    page = b"<!DOCTYPE html><html><body>please log in</body></html>"
    camera = http_camera(lambda h: reply(h, page, "text/html"))
    with camera as address, site(tmp_path, address).running() as s:
        assert "HTML" in s.away("not_an_image")


def test_a_camera_that_falls_silent_in_the_middle_is_opened_again(tmp_path):
    def silent(handler):
        motion_jpeg(handler, itertools.chain([jpeg(1), jpeg(2)], stuck()), True)

    def stuck():
        time.sleep(30)
        yield jpeg(3)

    with http_camera(silent) as address, site(tmp_path, address, stall_s=1.0).running() as s:
        s.away("stalled")
        eventually(lambda: s.camera().process.reconnects, "opened again")


def test_a_stream_that_ends_is_opened_again_and_its_last_picture_is_sent(tmp_path):
    """As of cameras that write one picture for each connection."""
    camera = http_camera(lambda h: motion_jpeg(h, iter([jpeg(1)]), True))
    with camera as address, site(tmp_path, address).running() as s:
        s.away("ended")
        s.has(2)


def test_a_process_that_hangs_is_ended_and_another_one_reads_on(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "KILL_AFTER_S", 0.2)
    camera = http_camera(lambda h: motion_jpeg(h, forever(), True))
    with camera as address, site(tmp_path, address, stall_s=1.0).running() as s:
        s.has(2)
        s.camera().process._process.send_signal(signal.SIGSTOP)
        eventually(lambda: s.camera().watch.stalls, "ended")
        s.has(len(s.bus.accepted) + 3)

        assert s.camera().process.reconnects >= 1


def test_an_unknown_host_is_told(tmp_path):
    with site(tmp_path, "http://no-such-host.invalid/snap").running() as s:
        s.away("no_host")


def test_a_usb_camera_that_is_not_there_is_told_with_its_file(tmp_path):
    with site(tmp_path, "v4l2:///dev/video97").running() as s:
        assert "/dev/video97" in s.away("no_device")


def test_a_camera_that_fails_costs_the_others_nothing(tmp_path):
    with http_camera(lambda h: motion_jpeg(h, forever(), True)) as address:
        cameras = [
            {"name": "cam1", "source": address + "/video"},
            {"name": "cam2", "source": "rtsp://127.0.0.1:9/cam"},
        ]
        with Site(tmp_path, cameras).running() as s:
            s.away("refused", "cam2")
            s.has(len(s.bus.accepted) + 3)

    assert {frame["topic"] for frame in s.bus.accepted} == {"s/images/cam1"}


def test_a_picture_that_changes_its_size_in_the_middle_is_sent_and_told(tmp_path):
    pictures = itertools.chain(itertools.islice(forever(), 10), forever(size=(128, 96)))
    camera = http_camera(lambda h: motion_jpeg(h, pictures, True))
    with camera as address, site(tmp_path, address).running() as s:
        eventually(lambda: s.camera().watch.resized, "another size")

    assert s.camera().watch.picture == [128, 96]
