"""The page of a real core with real photographs: what it shows, and every click."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
import simplejpeg
from chromium import Browser, needs_chromium
from every import every
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter
from real_core import BOX, RealCore

from edgecore.web.dashboard.thumbnails import MAX_SIDE_PX
from fanfold.device.interpreters import device_python
from fanfold.reference.answers import ANSWERS

pytestmark = [
    needs_chromium,
    pytest.mark.e2e,
    # A start packs the functions as they are on disk: where the checkout changed since the one
    # before, it is a second deployment. What counts deployments comes before what starts anew.
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    core.write()
    core.start(doctor=True)
    yield core
    core.stop()


@pytest.fixture
def page(browser: Browser, hall: RealCore) -> Browser:
    """Open and unlocked, with pictures on it."""
    if not json.loads(hall.ask("/api/traces")[1])["traces"]:
        hall.send()
    browser.open(hall.port, token=hall.token)
    browser.wait("document.querySelector('.image img')?.naturalWidth")
    browser.wait("document.body.classList.contains('can-drain')")
    return browser


def said(page: Browser, text: str) -> None:
    page.wait(f"document.querySelector('#actions-answer').innerText.includes({json.dumps(text)})")


def submit(page: Browser, field: str) -> None:
    page("evaluate", script=f"document.querySelector('[name={field}]').form.requestSubmit()")


def card(worker: str, part: str) -> str:
    cards = "[...document.querySelectorAll('.worker')]"
    found = f"{cards}.find(c => c.querySelector('h3').innerText === {json.dumps(worker)})"
    return f"{found}.querySelector('[data-part={part}]')"


def click(page: Browser, worker: str, button: str) -> None:
    page("evaluate", script=f"{card(worker, button)}.click()")


def test_everything_that_a_core_knows_is_on_the_page(page: Browser, hall: RealCore) -> None:
    hall.send("right", job="shift-2")
    page.wait("document.querySelector('#images').innerText.includes('right #3')")
    page.wait("document.querySelector('#jobs').innerText.includes('shift-2')")
    page.wait("!document.querySelector('#cloud').innerText.includes('never')")
    page.wait("document.querySelector('#doctor-note').innerText.includes('ok')", 150_000)

    assert page.text("#verdict") == "ok"
    assert page.count(".worker") == 2
    assert "boxes 1.0.0" in page.text(".worker")
    assert "CPU" in page.text(".worker")
    assert "credits" in page.text(".worker")
    assert re.search(r"\d+ restarts?\b", page.text(".worker"))
    assert page.count("#streams tbody tr") == 2
    assert page.count("#functions tbody tr") == 4
    assert page.count("#history tbody tr") == 1
    assert "applied" in page.text("#history")
    # A broken picture has no thumbnail: another test of this hall sends one.
    assert [e for e in page("seen")["errors"] if "/api/image/" not in e] == []
    page("screenshot", path=str(hall.folder / "desktop.png"))


def test_the_boxes_of_a_detection_lie_on_its_photograph(page: Browser) -> None:
    page.wait("document.querySelector('.image rect')")
    picture, drawn = page(
        "evaluate",
        script="['img', 'rect'].map(s => { const r = "
        "document.querySelector('.image:has(rect) ' + s).getBoundingClientRect(); "
        "return [r.x, r.y, r.width, r.height]; })",
    )
    assert drawn[0] == pytest.approx(picture[0] + BOX[0] * picture[2], abs=3)
    assert drawn[1] == pytest.approx(picture[1] + BOX[1] * picture[3], abs=3)
    assert drawn[2] == pytest.approx((BOX[2] - BOX[0]) * picture[2], abs=4)


def test_no_request_leaves_the_machine(page: Browser, hall: RealCore) -> None:
    page.wait("document.querySelectorAll('.chart canvas').length === 3")

    hosts = {urlsplit(url).netloc for url in page("seen")["urls"]}
    assert hosts == {f"127.0.0.1:{hall.port}"}


def test_the_stages_of_an_image_sum_to_its_total_on_the_page_and_in_the_cli(
    page: Browser, hall: RealCore
) -> None:
    page("click", selector=".image:has(rect)")  # one that was inspected: others sent broken ones
    page.wait("document.querySelector('dialog[open] .spans')")
    assert "publish to" in page.text("#trace .spans")
    stream, seq = page.text("#trace-title").split(" #")

    trace = json.loads(hall.fanfold("trace", f"{stream}/{seq}", "--json"))
    assert {s["stage"] for s in trace["stages"]} >= {"ingest", "queue", "inference", "order"}
    assert sum(s["ms"] for s in trace["stages"]) == pytest.approx(trace["total_ms"], abs=0.001)
    slowest = json.loads(hall.ask("/api/traces")[1])["traces"]
    for each in slowest:
        assert sum(s["ms"] for s in each["stages"]) == pytest.approx(each["total_ms"], abs=0.001)
    page("press", key="Escape")


def test_a_click_restarts_a_worker(page: Browser, hall: RealCore) -> None:
    before = hall.function("w0")
    click(page, "w0", "restart")

    said(page, "Restarting w0")
    hall.eventually(lambda: hall.function("w0")["pid"] not in (None, before["pid"]), "a new pid")
    hall.eventually(lambda: hall.worker("w0")["state"] == "ready", "w0 is ready again")


def test_a_click_drains_a_worker_and_the_other_does_its_work(page: Browser, hall: RealCore) -> None:
    click(page, "w1", "drain")
    page.wait(f"{card('w1', 'state')}.innerText === 'drained'")
    before = hall.worker("w1")["done"]
    hall.send()
    hall.eventually(lambda: hall.status()["stats"]["splitter"]["backlog"] == 0, "all are done")
    assert hall.worker("w1")["done"] == before
    assert page.text("#verdict") == "ok"

    assert page("evaluate", script=f"{card('w1', 'drain')}.innerText") == "Resume"
    click(page, "w1", "drain")
    page.wait(f"{card('w1', 'state')}.innerText === 'ready'")


def test_with_all_drained_images_wait_and_the_page_says_why(page: Browser, hall: RealCore) -> None:
    page("click", selector="[name=drain-all]")
    page.wait("document.querySelector('#problems').innerText.includes('drained by the operator')")
    hall.send(job="waits")
    hall.eventually(lambda: hall.status()["stats"]["splitter"]["backlog"] == 3, "three wait")
    assert hall.ask("/ready")[0] == 503

    page("click", selector="[name=resume-all]")
    hall.eventually(lambda: hall.status()["stats"]["splitter"]["backlog"] == 0, "none waits")
    page.wait("document.querySelector('#verdict').innerText === 'ok'")


def test_a_test_image_is_sent_and_its_result_is_shown(page: Browser, hall: RealCore) -> None:
    page("evaluate", script="document.querySelector('[name=camera]').value = 'right'")
    submit(page, "camera")

    said(page, "on hall/images/right to 1 target")
    page.wait("document.querySelector('.image img[alt^=\"sha256:\"]')?.naturalWidth === 320")


def test_a_message_is_published_and_a_followed_topic_shows_its_result(
    page: Browser, hall: RealCore
) -> None:
    (hall.folder / "images/by-hand.jpg").write_bytes(
        (hall.folder / "photos/rocket.jpg").read_bytes()
    )
    submit(page, "filter")
    page.wait("[...document.querySelectorAll('button')].some(b => b.innerText === 'Stop')")
    page("fill", selector="[name=topic]", text="hall/images/left")
    page("fill", selector="[name=payload]", text='{"v":1,"id":"by-hand","file":"by-hand.jpg"}')
    submit(page, "payload")

    said(page, "Published")
    page.wait("document.querySelector('#actions .lines').innerText.includes('by-hand')")
    submit(page, "filter")


def test_what_went_wrong_with_an_image_is_in_the_log_with_its_id(
    page: Browser, hall: RealCore
) -> None:
    bad = hall.folder / "bad"
    bad.mkdir()
    (bad / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 half a picture")
    hall.fanfold("send", "bad", "--site", "hall", "--camera", "left")
    failed = "document.querySelector('.image:has(.bad)')?.innerText"
    page.wait(f"/failed: \\w+[^]*, broken.jpg/.test({failed})")  # no click
    found = hall.eventually(
        lambda: [
            json.loads(line)
            for line in hall.fanfold("logs", "--site", "hall", "--json").splitlines()
            if '"image"' in line
        ],
        "a line about an image",
    )[-1]

    click(page, found["function"], "log")
    page.wait(f"document.querySelector('#logs-lines').innerText.includes({found['image']!r})")
    assert found["stream"] == "left"
    assert found["level"] == "WARNING"


def test_a_photograph_of_forty_megapixels_is_shown_small(page: Browser, hall: RealCore) -> None:
    big = hall.folder / "big"
    big.mkdir()
    shades = np.linspace(0, 255, 5500, dtype=np.uint8)[:, None, None]
    pixels = np.ascontiguousarray(np.broadcast_to(shades, (5500, 7300, 3)))
    (big / "big.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, quality=60))
    hall.fanfold("send", "big", "--site", "hall", "--camera", "right", "--job", "big")
    seq = hall.eventually(lambda: _seq_of_job(hall, "big"), "its result")

    status, picture = hall.ask(f"/api/image/right/{seq}")
    assert status == 200
    assert max(simplejpeg.decode_jpeg_header(picture)[:2]) <= MAX_SIDE_PX
    page.wait(f"document.querySelector('#images').innerText.includes('right #{seq}')")


def _seq_of_job(hall: RealCore, job: str) -> int:
    rows = (hall.folder / "s/core/hall/cloud").rglob("*.jsonl")
    lines = [json.loads(line) for path in rows for line in path.read_text().splitlines()]
    jobs = [body for line in lines if (body := _payload(line)).get("job") == job]
    return next((b["streams"]["right"]["last_seq"] for b in jobs if "streams" in b), 0)


def _payload(line: dict) -> dict:
    payload = line.get("payload", {})
    return json.loads(payload) if isinstance(payload, str) else payload


def test_a_frozen_worker_degrades_the_site_and_is_named_while_the_other_inspects(
    page: Browser, hall: RealCore
) -> None:
    pid = hall.function("w1")["pid"]
    with ThreadPoolExecutor(1) as beside:
        os.kill(pid, signal.SIGSTOP)
        beside.submit(hall.send, job="frozen")
        verdict = hall.eventually(
            lambda: (v := hall.status()["verdict"])["state"] == "degraded" and v, "degraded"
        )
        assert hall.ask("/ready")[0] == 200
    assert any("w1" in reason["subject"] for reason in verdict["reasons"])
    assert every(reason["remedy"] for reason in verdict["reasons"])
    assert hall.ask("/live")[0] == 200
    page.wait("document.querySelector('#problems').innerText.includes('w1')", 30_000)
    hall.eventually(lambda: hall.status()["verdict"]["state"] == "ok", "w1 was restarted by itself")


def test_what_the_command_line_prints_as_json_is_as_promised(hall: RealCore) -> None:
    """`results` listens while `send` sends; the others are asked afterwards."""

    def keeps(verb: str, text: str) -> None:
        lines = [json.loads(line) for line in text.splitlines()]
        assert lines, verb
        for line in lines:
            TypeAdapter(ANSWERS[verb]).validate_python(line)

    with ThreadPoolExecutor(1) as beside:
        listening = beside.submit(
            hall.fanfold, "results", "hall", "--json", "-n", "3", "--timeout-s", "60"
        )
        hall.eventually(lambda: hall.status()["mqtt"]["clients"], "the listener is connected")
        keeps("send", hall.fanfold("send", "photos", "--site", "hall", "--json"))
        results = listening.result(100)
    keeps("results", results)
    keeps("status", hall.fanfold("status", "hall", "--json"))
    keeps("logs", hall.fanfold("logs", "--site", "hall", "--json"))
    first = json.loads(results.splitlines()[0])
    keeps("trace", hall.fanfold("trace", f"{first['stream']}/{first['seq']}", "--json"))
    keeps("trace", hall.fanfold("trace", first["id"], "--json"))


def test_the_metrics_of_a_running_core_parse_and_count_its_images(hall: RealCore) -> None:
    hall.send()  # counters are a core's own: another test of this hall restarts it

    def families() -> dict[str, Metric]:
        text = hall.ask("/metrics")[1].decode()
        return {family.name: family for family in text_string_to_metric_families(text)}

    def stages() -> set[str]:
        samples = families()["fanfold_stage_duration_seconds"].samples
        return {s.labels["stage"] for s in samples if s.name.endswith("_count") and s.value}

    def images() -> float:
        samples = families()["fanfold_images"].samples
        return sum(s.value for s in samples if s.name.endswith("_total"))

    hall.eventually(lambda: images() > 0, "images are counted")
    hall.eventually(
        lambda: stages() >= {"queue", "read", "transform", "inference", "order"}, "every stage"
    )
    workers = {s.labels["worker"] for s in families()["fanfold_worker_ready"].samples}
    assert workers == {"w0", "w1"}


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 421),
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
    ],
)
def test_a_foreign_page_is_refused(hall: RealCore, header: str, value: str, status: int) -> None:
    assert hall.ask("/api/status", **{header: value})[0] == status


def test_the_page_greys_out_over_a_core_that_hangs_and_lives_on_with_it(
    page: Browser, hall: RealCore
) -> None:
    page.wait("document.querySelector('#live').innerText === 'live'")
    os.kill(int(hall.info["pid"]), signal.SIGSTOP)
    try:
        page.wait("document.body.classList.contains('gone')")
        said = page.text("#live")
    finally:
        os.kill(int(hall.info["pid"]), signal.SIGCONT)
    page.wait("!document.body.classList.contains('gone')")

    assert said.startswith("no update")


def test_the_open_page_finds_a_core_that_restarts_and_that_is_read_only_now(
    page: Browser, hall: RealCore
) -> None:
    hall.stop()
    try:
        _read_only(page, hall)
    finally:  # the others of this module want the core that takes commands
        hall.stop()
        hall.start(doctor=True)


def _read_only(page: Browser, hall: RealCore) -> None:
    page.wait("document.querySelector('#live').innerText.startsWith('core unreachable')", 20_000)
    hall.start("--read-only")
    page.wait("document.querySelector('#live').innerText === 'live'", 30_000)
    page.wait("document.querySelector('#actions-note').innerText.includes('read-only')")

    assert page.count("#actions form") == 0
    assert not page("evaluate", script="document.body.classList.contains('can-restart')")
    hall.send(job="after")
    page.wait("document.querySelector('#images img')?.naturalWidth", 30_000)
    page.wait("document.querySelector('#history').innerText.includes('applied')")
