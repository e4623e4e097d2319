"""The grabber against GStreamer's RTSP server."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from cameras import a_picture, needs_rtsp, rtsp_camera
from grabber_kit import Site
from waiting import eventually

pytestmark = needs_rtsp
LOGIN_SECRET = "pass:w@rd/1"


@pytest.fixture(scope="module")
def ball():
    with rtsp_camera(a_picture("ball")) as camera:
        yield camera


@pytest.fixture(scope="module")
def protected():
    with rtsp_camera(a_picture("ball"), "joe:secret1") as camera:
        yield camera


def site(folder, camera, **given):
    return Site(folder, [{"name": "cam1", "source": camera, **given}])


def test_frames_arrive_in_order_with_the_time_they_came(ball, tmp_path):
    began = time.time()
    with site(tmp_path, ball.url()).running() as grabber:
        grabber.has(5)
        frames = grabber.bus.accepted[:5]

    times = [frame["ts"] for frame in frames]
    assert times == sorted(times)
    assert began < times[0] < time.time()
    pictures = [cv2.imdecode(np.frombuffer(f["content"], np.uint8), 1) for f in frames]
    assert {picture.shape for picture in pictures} == {(240, 320, 3)}
    assert len({frame["content"] for frame in frames}) == 5
    assert {frame["topic"] for frame in frames} == {"s/images/cam1"}


def test_the_sites_rate_is_kept_whatever_the_camera_sends(ball, tmp_path):
    with site(tmp_path, ball.url(), fps=4).running() as grabber:
        grabber.has(6)
        times = [frame["ts"] for frame in grabber.bus.accepted[:6]]
        read = grabber.camera().watch.read

    assert times[5] - times[1] > 0.8  # four intervals of 250 ms, a frame of 50 ms early at most
    assert read > 8, "the camera gave no more than was asked for"


def test_a_secret_of_the_device_logs_in(protected, tmp_path):
    grabber = site(tmp_path, protected.url("{secret:cam1}"))
    grabber.secret("cam1", "joe:secret1")

    with grabber.running():
        grabber.has(2)


@pytest.mark.parametrize(
    ("login", "code"),
    [(f"joe:{LOGIN_SECRET}", "unauthorized"), ("", "no_secret")],
    ids=["wrong", "missing"],
)
def test_a_wrong_or_missing_password_is_told_without_showing_it(
    protected, tmp_path, capfd, login, code
):
    grabber = site(tmp_path, protected.url("{secret:cam1}"))
    if login:
        grabber.secret("cam1", login)

    with grabber.running():
        sentence = grabber.away(code)
        eventually(lambda: grabber.bus.stats, "stats")

    told = str(grabber.bus.stats) + "".join(capfd.readouterr()) + sentence
    assert "joe" not in told
    assert LOGIN_SECRET not in told
    assert "rtsp://127.0.0.1" in told
    assert "cam1" in sentence or "password" in sentence


def test_a_path_that_the_camera_does_not_have_is_told(ball, tmp_path):
    with site(tmp_path, ball.url(path="nope")).running() as grabber:
        assert "404" in grabber.away("not_found")


def test_a_port_where_nothing_listens_is_told(tmp_path):
    with site(tmp_path, "rtsp://127.0.0.1:9/cam").running() as grabber:
        assert "refused" in grabber.away("refused")


def test_a_camera_that_freezes_is_found_and_comes_back(tmp_path):
    camera = rtsp_camera(a_picture("ball"))
    with camera as camera, site(tmp_path, camera.url(), stall_s=1.0).running() as s:
        s.has(1)
        camera.process.send_signal(signal.SIGSTOP)
        s.away("stalled")
        camera.process.send_signal(signal.SIGCONT)
        s.has(len(s.bus.accepted) + 2)

        assert s.camera().watch.stalls >= 1
        assert s.camera().process.reconnects >= 1
        eventually(lambda: s.camera().watch.state == "live", "live again")


def test_a_camera_that_is_gone_is_told(tmp_path):
    camera = rtsp_camera(a_picture("ball"))
    with camera as camera, site(tmp_path, camera.url(), stall_s=1.0).running() as s:
        s.has(1)
        camera.end()

        eventually(lambda: s.camera().watch.code in ("ended", "refused"), "gone")


def test_a_picture_that_does_not_change_is_told_and_still_sent(tmp_path):
    with rtsp_camera(a_picture("blue")) as camera:
        s = site(tmp_path, camera.url(), frozen_s=0.3)
        with s.running():
            eventually(lambda: s.bus.stats.get("cam1", {}).get("state") == "frozen", "frozen")
            s.has(len(s.bus.accepted) + 1)


def test_newest_frames_win_while_the_splitter_is_slow(ball, tmp_path):
    with site(tmp_path, ball.url()).running() as s:
        s.has(2)
        s.bus.silent = True
        eventually(lambda: s.camera().flow.dropped > 10, "dropped")
        waiting = len(s.camera().flow.sent)
        s.bus.silent = False
        began = time.time()
        s.has(len(s.bus.accepted) + 6)

        assert waiting <= 4
        # Frames that had waited are announced again; what is fetched now is new.
        assert s.bus.accepted[-1]["ts"] > began


def test_the_newest_accepted_frames_lie_in_the_volume_and_no_more(ball, tmp_path):
    with site(tmp_path, ball.url(), fps=20).running() as s:
        s.camera()._keeps = 3
        s.has(8)
        eventually(lambda: len(s.left()) <= 4, "older files are removed")

    assert s.left()
    assert set(s.left()) <= {Path(frame["file"]).name for frame in s.bus.seen[-5:]}


def test_busy_is_a_pause_and_a_drop_and_leaves_no_file(ball, tmp_path):
    s = site(tmp_path, ball.url())
    s.bus.says = {"reason": "busy", "detail": "", "retry_after_s": 0.2}
    with s.running():
        eventually(lambda: s.camera().flow.dropped > 3, "dropped")
        eventually(lambda: not s.left(), "no file is left")
        s.bus.says = {}
        s.has(2)


@pytest.mark.parametrize("waiting", [100])
def test_frames_stop_while_earlier_ones_wait_for_their_record(ball, tmp_path, waiting):
    with site(tmp_path, ball.url()).running() as s:
        s.has(1)
        s.bus.put("s/stats", {"v": 1, "part": "splitter", "streams": {"cam1": waiting}})
        eventually(lambda: not s.camera().flow.has_room(time.monotonic()), "no room")
        dropped = s.camera().flow.dropped
        eventually(lambda: s.camera().flow.dropped > dropped + 3, "dropped")
        before = len(s.bus.accepted)
        s.bus.put("s/stats", {"v": 1, "part": "splitter", "streams": {}})

        s.has(before + 2)
