"""The history of a real core: found on the page and the command line, and after a kill."""

from __future__ import annotations

import csv
import getpass
import io
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import boto3
import pytest
from alert_peers import Hook, mail_server, plain_broker
from chromium import Browser, needs_chromium
from mosquitto import free_port
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


MAIL_PORT, BROKER_PORT = free_port(), free_port()
"""Nobody listens there until a test does."""


@pytest.fixture(scope="module")
def hall(hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    parts = {"name": "parts", "when": "label_seen", "label": "part"}
    # What other tests send waits for less, also where the machine has other work.
    waits = {"name": "waits", "when": "backlog", "above": 1, "for_s": 5}
    core.write(
        history={
            "defects": ["part"],
            "shifts": ["00:00"],
            "time_zone": "UTC",
            "samples": {"rules": [{"name": "parts", "label": "part", "per_hour": 36_000}]},
        },
        alerts={
            "rules": [parts, waits],
            "to": {
                "webhook": {"url": hook.url},
                "mail": {
                    "host": "127.0.0.1",
                    "port": MAIL_PORT,
                    "tls": "none",
                    "sender": "core@plant.example",
                    "to": ["shift@plant.example"],
                },
                "mqtt": {"host": "127.0.0.1", "port": BROKER_PORT, "topic": "plant/alerts"},
            },
        },
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


def test_an_image_that_was_sent_is_found_by_the_beginning_of_its_own_name(hall: RealCore) -> None:
    assert [r["name"] for r in records(hall, "name=weld")] == ["weld 7.jpg"]


def test_the_csv_of_the_command_line_is_what_the_page_downloads(hall: RealCore) -> None:
    printed = hall.fanfold("history", "hall", "--csv")
    downloaded = hall.ask("/api/history/records.csv")[1].decode()
    rows = list(csv.DictReader(io.StringIO(printed.lstrip("\ufeff"))))

    assert [r["seq"] for r in rows] == [r["seq"] for r in csv.DictReader(io.StringIO(downloaded))]
    assert {r["status"] for r in rows} == {"ok", "failed"}
    # One click from the first page.
    assert b'href="/api/history/records.csv"' in hall.ask("/")[1]


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
    def printed() -> str:
        return hall.fanfold("history", "hall", *asked, "--csv").lstrip("\ufeff")

    # What happened is in the history a step later than the images.
    said = hall.eventually(lambda: word in printed() and printed(), f"{word} is shown")

    assert said.startswith(head)
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
def test_on_a_phone_nothing_of_an_image_or_an_event_is_beyond_the_screen(
    browser: Browser, hall: RealCore
) -> None:
    browser("open", url=f"http://127.0.0.1:{hall.port}/history", width=390, height=844)
    browser.wait("document.querySelector('#events tbody td')")
    name = "document.querySelector('#records tbody tr').cells[2].firstChild"
    browser("evaluate", script=f"{name}.textContent = 'weld'.repeat(60)")
    cells = "[...document.querySelectorAll('#records td, #events td')]"
    right = f"Math.max(...{cells}.map((c) => c.getBoundingClientRect().right))"

    assert browser("evaluate", script=right) <= 390


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


def test_a_test_of_the_alerts_says_which_way_failed(hall: RealCore, hook: Hook) -> None:
    said = hall.fanfold("alerts", "test", "hall", ok=(1,))
    ways = json.loads(hall.fanfold("alerts", "test", "hall", "--json", ok=(1,)))["ways"]
    problems = {way["name"]: way["problem"] for way in ways}

    assert "webhook: sent" in said
    assert problems["webhook"] is None
    assert "refused" in problems["mail"]
    assert "refused" in problems["mqtt"]
    assert hook.got[-1][1]["kind"] == "test"


class Inbox:
    """The subjects of what a mail server was given."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name for it
        letter = message_from_bytes(envelope.content, policy=default)
        self.subjects.append(str(letter["Subject"]))
        return "250 kept"

    def of(self, rule: str) -> list[str]:
        return [s.split()[1] for s in self.subjects if f" {rule}:" in s]


def test_a_backlog_is_told_three_ways_acknowledged_once_and_its_end_is_told(
    hall: RealCore, hook: Hook
) -> None:
    """The mail server and the broker come back: what waited for them is not lost either."""
    inbox, topic = Inbox(), []

    def told(rule: str, kinds: list[str]) -> bool:
        by_hook = [body["kind"] for _, body in hook.got if body["alert"] == rule]
        by_topic = [body["kind"] for body in topic if body["alert"] == rule]
        return by_hook == by_topic == kinds and len(inbox.of(rule)) == len(kinds)

    subscribe = ["mosquitto_sub", "-t", "plant/alerts", "-q", "1", "-c", "-i", "shift", "-p"]
    user = getpass.getuser()
    # The core may find its broker before a subscriber does: the session is there already.
    with plain_broker(hall.folder, user=user) as port:
        subprocess.run([*subscribe, str(port), "-E"], check=True)
    with plain_broker(hall.folder, BROKER_PORT, user), mail_server(inbox, MAIL_PORT):
        heard = subprocess.Popen([*subscribe, str(BROKER_PORT)], stdout=subprocess.PIPE, text=True)
        assert heard.stdout is not None
        lines = heard.stdout
        threading.Thread(
            target=lambda: topic.extend(json.loads(line) for line in lines), daemon=True
        ).start()
        try:
            # A test that arrives also sends what waited.
            hall.eventually(
                lambda: hall.act("test-alerts", {})[0] == 200 and topic, "all three answer"
            )
            hall.eventually(lambda: told("parts", ["on"]), "what had waited was told")
            hall.act("drain", {"on": True})
            hall.send(job="waiting")
            hall.eventually(lambda: told("waits", ["on"]), "the backlog was told")
            known = json.loads(hall.fanfold("alerts", "acknowledge", "waits", "hall", "--json"))
            hall.act("drain", {"on": False})
            hall.eventually(lambda: told("waits", ["on", "ended"]), "its end was told")
        finally:
            heard.terminate()
            heard.wait(10)

    assert known["alert"]["acknowledged"]
    assert inbox.of("waits") == ["ALERT", "ended"]
    assert inbox.of("parts") == ["ALERT"]


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
    kinds = [b["kind"] for _, b in hook.got if b["alert"] == "parts"]
    assert kinds.count("on") == 1, "a restart tells nobody twice"
    assert any(point[1] for point in points), "the chart knows images of before"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
