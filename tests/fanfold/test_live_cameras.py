"""Cameras with a source on a real core: GStreamer's RTSP server on the other side; and videos."""

from __future__ import annotations

import functools
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import cv2
import pytest
import yaml
from cameras import a_picture, needs_rtsp, rtsp_camera
from checkout import PHOTOS
from every import every
from real_core import RealCore

from fanfold.common.errors import UserError
from fanfold.sending.video import with_frames

pytestmark = needs_rtsp
SECRET = "joe:s3cret-of-left"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 25 frames each."""
    target = tmp_path_factory.mktemp("clips") / "clip.mp4"
    source = "testsrc=size=320x240:rate=25:duration=2"
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p",
         str(target)],
        check=True,
    )  # fmt: skip
    return target


class Quiet(SimpleHTTPRequestHandler):
    """Its lines would stand in whatever another test captures."""

    def log_message(self, *_: object) -> None:
        pass


class Still:
    """A camera that serves one picture for ever, until it is switched off."""

    def __init__(self) -> None:
        serve = functools.partial(Quiet, directory=PHOTOS)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/coffee.jpg"

    def switch_off(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def still() -> Still:
    return Still()


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory, still: Still) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    core.write()
    with rtsp_camera(a_picture("ball"), SECRET) as camera:
        path = core.folder / "sites/hall.yaml"
        site = yaml.safe_load(path.read_text())
        site["cameras"] = [
            {"name": "left", "source": camera.url("{secret:left}"), "fps": 5},
            {"name": "right", "source": still.url, "fps": 1, "frozen_s": 3},
            {"name": "clips"},
        ]
        path.write_text(yaml.safe_dump(site))
        secrets = core.folder / "state/grabber/secrets"
        secrets.mkdir(parents=True)
        (secrets / "left").write_text(SECRET)
        core.start()
        yield core
        core.stop()


def camera(core: RealCore) -> dict[str, object]:
    grabber = core.status()["stats"].get("grabber") or {"cameras": {}}
    return dict(grabber["cameras"].get("left") or {})


def records(core: RealCore, stream: str) -> list[dict[str, object]]:
    lines = [
        line
        for path in sorted((core.folder / "s/core/hall/cloud").glob("messages-*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    messages = [json.loads(line) for line in lines]
    batches = [m for m in messages if not str(m.get("topic", "")).endswith("/health")]
    found = [r for m in batches for r in _results(m) if r["stream"] == stream]
    return sorted(found, key=lambda record: record["seq"])


def _results(message: dict[str, object]) -> list[dict[str, object]]:
    body = message.get("payload", message)
    body = json.loads(body) if isinstance(body, str) else body
    return list(body.get("results", []))


def test_frames_of_a_camera_become_ordered_results(hall: RealCore) -> None:
    hall.eventually(lambda: camera(hall).get("accepted", 0) >= 8, "frames")
    found = hall.eventually(lambda: len(records(hall, "left")) >= 5 and records(hall, "left"), "5")

    assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
    assert {record["status"] for record in found} == {"ok"}
    assert every(str(record["file"]).startswith("live/left/2") for record in found)
    assert every(a["ts"] < b["ts"] for a, b in pairwise(found))


def test_a_camera_is_in_status_page_and_metrics_and_its_password_nowhere(hall: RealCore) -> None:
    hall.eventually(lambda: camera(hall).get("state") == "live", "live")

    # 1: degraded, once the camera beside it stands still.
    assert "left: live, 320x240" in hall.fanfold("status", "hall", ok=(0, 1))
    metrics = hall.ask("/metrics")[1].decode()
    assert 'fanfold_camera_state{camera="left",state="live"} 1.0' in metrics
    written = [
        path.read_bytes()
        for path in (hall.folder / "s").rglob("*")
        if path.is_file() and not path.is_symlink()
    ]
    processes = [path.read_bytes() for path in _command_lines()]
    assert len(written) > 10
    assert not [text for text in (*written, *processes) if b"s3cret" in text]


def _command_lines() -> list[Path]:
    """Of the processes that read cameras."""
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _is_child(path)]
    assert found
    return found


def _is_child(path: Path) -> bool:
    try:
        return b"lambdas.grabber.child" in path.read_bytes()
    except OSError:
        return False


def test_a_camera_that_freezes_and_then_goes_away_is_said_so(hall: RealCore, still: Still) -> None:
    def said(code: str) -> bool:
        found = hall.status()["verdict"]["reasons"]
        return any(r["code"] == code and r["subject"] == "camera right" for r in found)

    hall.eventually(lambda: said("camera_frozen"), "the same picture for three seconds")
    still.switch_off()
    hall.eventually(lambda: said("camera_away"), "no frame for half a minute")


def test_a_video_is_inspected_in_order_and_each_frame_has_its_time(
    hall: RealCore, clip: Path
) -> None:
    sent = hall.fanfold(
        "send", str(clip), "--fps", "5", "--site", "hall", "--camera", "clips", "--json"
    )

    assert json.loads(sent)["accepted"] == 10
    found = hall.eventually(
        lambda: len(records(hall, "clips")) == 10 and records(hall, "clips"), "10 results"
    )
    times = [str(record["file"]).partition("clip.mp4#t=")[2] for record in found]
    assert times == [f"{n / 5:.3f}.jpg" for n in range(10)]


@pytest.mark.parametrize(("fps", "count"), [(None, 50), (12, 24), (1000, 50), (0.5, 1)])
def test_a_rate_above_the_clips_takes_every_frame_and_none_twice(clip, tmp_path, fps, count):
    frames = with_frames([clip], fps, tmp_path)

    assert len(frames) == count
    assert [frame.name for frame in frames] == sorted({frame.name for frame in frames})


def test_a_clip_that_was_cut_off_gives_what_is_there_and_says_so(clip, tmp_path, capsys):
    ready = ffmpeg(clip, tmp_path / "ready.mp4", "-c", "copy", "-movflags", "+faststart")
    content = ready.read_bytes()
    ready.write_bytes(content[: len(content) * 6 // 10])
    frames = with_frames([ready], None, tmp_path / "a")

    said = " ".join(capsys.readouterr().err.split())
    assert 0 < len(frames) < 40
    assert f"{len(frames)} of 50 frames" in said
    with_frames([clip], None, tmp_path / "b")
    assert not capsys.readouterr().err


def test_a_telephones_clip_is_upright_and_a_pause_in_it_keeps_its_times(clip, tmp_path, capsys):
    turned = ffmpeg(clip, tmp_path / "a.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90")
    paused = ffmpeg(clip, tmp_path / "b.mp4", "-vf", "select=not(between(t\\,0.5\\,1.5))",
                    "-vsync", "vfr")  # fmt: skip
    (first,) = with_frames([turned], 0.5, tmp_path / "turned")
    times = [frame.name.partition("#t=")[2] for frame in with_frames([paused], 5, tmp_path / "p")]

    assert cv2.imread(str(first)).shape == (320, 240, 3)
    assert times == [f"{t:.3f}.jpg" for t in (0, 0.2, 0.4, 1.52, 1.6, 1.8)]
    assert not capsys.readouterr().err


def ffmpeg(source: Path, target: Path, *options: str) -> Path:
    command = ["ffmpeg", "-loglevel", "error", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True)
    return target


def test_what_is_no_video_is_refused_with_a_reason(clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")

    with pytest.raises(UserError, match="no video that can be read"):
        with_frames([broken], None, tmp_path / "a")
    with pytest.raises(UserError, match="none of the files is a video"):
        with_frames([tmp_path / "a.jpg"], 5, tmp_path / "b")
