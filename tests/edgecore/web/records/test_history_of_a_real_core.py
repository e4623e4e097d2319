"""The history of a real core: found on the page and the command line, and after a kill."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Iterator

import boto3
import pytest
from alert_peers import Hook
from chromium import Browser, needs_chromium
from real_core import RealCore

from fanfold.device.interpreters import device_python

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture(scope="module")
def hall(hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    parts = {"name": "parts", "when": "label_seen", "label": "part"}
    core.write(
        history={
            "defects": ["part"],
            "shifts": ["00:00"],
            "time_zone": "UTC",
            "samples": {"rules": [{"name": "parts", "label": "part", "per_hour": 36_000}]},
        },
        alerts={"rules": [parts], "to": {"webhook": {"url": hook.url}}},
    )
    core.start()
    core.send(job="lot-1")
    broken = core.folder / "broken"
    broken.mkdir()
    (broken / "weld 7.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    core.fanfold("send", "broken", "--site", "hall", "--camera", "right", ok=(0, 1))
    core.eventually(lambda: len(records(core)) == 4, "four images in the history")
    yield core
    core.stop()


def records(core: RealCore, query: str = "") -> list[dict[str, object]]:
    status, body = core.ask(f"/api/history/records?{query}")
    assert status == 200, body
    return json.loads(body)["records"]


def test_images_are_found_by_label_and_job_with_their_defect_rate(hall: RealCore) -> None:
    found = records(hall, "label=part&job=lot-1")
    counts = json.loads(hall.ask("/api/history/counts?by=shift")[1])["counts"]

    assert {r["label"] for r in found} == {"part"}
    assert [(c["camera"], c["ok"], c["failed"], c["defect_rate"]) for c in counts] == [
        ("left", 3, 0, 1.0),
        ("right", 0, 1, None),
    ]


def test_the_csv_of_the_command_line_is_what_the_page_downloads(hall: RealCore) -> None:
    printed = hall.fanfold("history", "hall", "--csv")
    downloaded = hall.ask("/api/history/records.csv")[1].decode()
    rows = list(csv.DictReader(io.StringIO(printed.lstrip("\ufeff"))))

    assert [r["seq"] for r in rows] == [r["seq"] for r in csv.DictReader(io.StringIO(downloaded))]
    assert {r["status"] for r in rows} == {"ok", "failed"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("records?score_min=99999999999999999999999", 400),
        ("records.csv?score_max=nan", 400),
        ("records?since=99999999999999999999999", 400),
        ("events?before=99999999999999999999999", 400),
        ("sample/99999999999999999999999", 404),
        ("picture/99999999999999999999999", 404),
    ],
)
def test_a_number_that_no_database_holds_is_refused_in_words(
    hall: RealCore, path: str, status: int
) -> None:
    answered, body = hall.ask(f"/api/history/{path}")

    assert (answered, json.loads(body)["ok"]) == (status, False)


@pytest.mark.parametrize(
    ("asked", "head", "word"),
    [
        (["--by", "camera"], "period,camera,images", "left"),
        (["--show", "labels"], "label,camera,images", "part"),
        (["--show", "events"], "time,t,kind,subject", "deployment"),
    ],
)
def test_whatever_is_shown_is_csv_when_csv_is_asked_for(
    hall: RealCore, asked: list[str], head: str, word: str
) -> None:
    printed = hall.fanfold("history", "hall", *asked, "--csv").lstrip("\ufeff")

    assert printed.startswith(head)
    assert word in printed
    hall.fanfold("history", "hall", *asked, "--csv", "--json", ok=(2,))
    assert "pass one of them" in hall.said


@needs_chromium
def test_an_operator_finds_a_failed_image_with_its_reason_on_the_page(
    browser: Browser, hall: RealCore
) -> None:
    browser("open", url=f"http://127.0.0.1:{hall.port}/history")
    browser.wait("document.querySelectorAll('#records tbody tr').length === 4")
    browser(
        "evaluate",
        script="const f = document.querySelector('#search'); f.status.value = 'failed'; "
        "f.requestSubmit()",
    )
    browser.wait("document.querySelectorAll('#records tbody tr').length === 1")

    assert "not_an_image" in browser.text("#records") or "truncated" in browser.text("#records")
    assert "status=failed" in str(browser("evaluate", script="document.querySelector('#csv').href"))


def sampled(core: RealCore) -> int:
    """How many were kept, once each of the three is decided."""

    def decided() -> bool:
        told = core.status()["history"]["samples"]
        return told["kept"] + told["left_out_by_reason"].get("rate", 0) == 3

    core.eventually(decided, "each image is kept or left out")
    return int(core.status()["history"]["samples"]["kept"])


def test_live_images_that_a_rule_wants_are_handed_out_whole_with_the_models_answer(
    hall: RealCore,
) -> None:
    kept = sampled(hall)
    said = hall.fanfold("status", "hall", ok=(0, 1))
    once = hall.fanfold("history", "hall", "--samples", "kept")
    again = hall.fanfold("history", "hall", "--samples", "kept")
    lines = [path.read_text() for path in (hall.folder / "kept").rglob("*.json")]
    first = json.loads(lines[0])
    sent = {photo.read_bytes() for photo in (hall.folder / "photos").glob("*.jpg")}

    assert kept == len(lines) >= 1
    assert f"samples: {kept} kept" in said
    assert (hall.folder / "kept" / first["file"]).read_bytes() in sent
    assert (first["sample"], first["answer"]["output"]["boxes"][0]["label"]) == ("parts", "part")
    assert (f"{kept} of them new" in once, "0 of them new" in again) == (True, True)


def test_samples_go_to_a_bucket_that_there_is(
    hall: RealCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = sampled(hall)
    from moto.server import ThreadedMotoServer  # not when tests are collected

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    try:
        client = boto3.client("s3")
        client.create_bucket(Bucket="labels")
        hall.fanfold("history", "hall", "--samples", "s3://labels/hall")
        hall.fanfold("history", "hall", "--samples", "s3://nowhere/hall", ok=(1, 2, 3, 4))
        keys = [o["Key"] for o in client.list_objects_v2(Bucket="labels")["Contents"]]
    finally:
        server.stop()

    assert len(keys) == 2 * kept
    assert all(key.startswith("hall/left/") for key in keys)
    assert "s3://nowhere/hall" in hall.said
    assert "Traceback" not in hall.said


@needs_chromium
def test_a_sampled_image_is_seen_whole_on_the_page(browser: Browser, hall: RealCore) -> None:
    kept = sampled(hall)
    browser("open", url=f"http://127.0.0.1:{hall.port}/history?sample=1")
    browser.wait(f"document.querySelectorAll('#records tbody tr').length === {kept}")
    browser.wait("document.querySelector('#samples').innerText.includes('kept whole')")
    browser("evaluate", script="document.querySelector('#records button.link').click()")
    browser.wait("document.querySelector('#picture img')?.naturalWidth > 0")

    assert "kept by parts" in browser.text("#picture-title")


@needs_chromium
def test_on_a_phone_an_event_is_read_in_lines_of_words(browser: Browser, hall: RealCore) -> None:
    browser("open", url=f"http://127.0.0.1:{hall.port}/history", width=390, height=844)
    browser.wait("document.querySelector('#events tbody td')")
    cells = "[...document.querySelectorAll('#events td:last-child')]"
    narrowest = browser("evaluate", script=f"Math.min(...{cells}.map((c) => c.clientWidth))")

    assert narrowest > 150


@needs_chromium
def test_a_label_as_long_as_a_sentence_leaves_its_count_in_sight(
    browser: Browser, hall: RealCore
) -> None:
    browser("open", url=f"http://127.0.0.1:{hall.port}/history", width=390, height=844)
    browser.wait("document.querySelector('#label-counts tbody td')")
    cell = "document.querySelector('#label-counts tbody tr')"
    browser("evaluate", script=f"{cell}.cells[0].textContent = 'scratched'.repeat(30)")
    right = browser("evaluate", script=f"{cell}.cells[2].getBoundingClientRect().right")

    assert right <= 390


@needs_chromium
def test_an_alert_is_told_shown_and_acknowledged_on_the_page(
    browser: Browser, hall: RealCore, hook: Hook
) -> None:
    hall.eventually(lambda: hook.got, "the webhook was called")
    browser("open", url=f"http://127.0.0.1:{hall.port}/history#token={hall.token}")
    browser.wait("document.querySelector('#alerts button')")
    browser("evaluate", script="document.querySelector('#alerts button').click()")
    browser.wait("document.querySelector('#alerts').innerText.includes('acknowledged')")

    assert hook.got[0][1]["alert"] == "parts"
    assert "acknowledged" in hall.fanfold("alerts", "list", "hall")


def test_a_test_of_the_alerts_reaches_the_webhook(hall: RealCore, hook: Hook) -> None:
    said = hall.fanfold("alerts", "test", "hall")

    assert "webhook: sent" in said
    assert hook.got[-1][1]["kind"] == "test"


def test_after_a_kill_images_charts_and_counters_are_there_and_the_kill_is_told(
    hall: RealCore, hook: Hook
) -> None:
    before = records(hall)
    os.kill(int(hall.info["pid"]), signal.SIGKILL)
    hall.eventually(lambda: not _lives(int(hall.info["pid"])), "the core is gone")
    offline = hall.fanfold("history", "hall", "--json")
    hall.start()
    events = hall.fanfold("history", "hall", "--show", "events", "--json")
    points = json.loads(hall.ask("/api/history?span=10m")[1])["points"]

    assert len(offline.splitlines()) == len(before)
    assert records(hall) == before
    assert "ended without notice" in events
    assert "was acknowledged" in events
    assert [b["kind"] for _, b in hook.got].count("on") == 1, "a restart tells nobody twice"
    assert any(point[1] for point in points), "the chart knows images of before"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
