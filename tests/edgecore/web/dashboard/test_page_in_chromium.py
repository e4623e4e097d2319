"""The page in a real browser; skipped, and said to be, where there is none."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import Browser, needs_chromium
from dashboard_replay import ReplayCore
from dashboard_serving import TOKEN, Served, serving

from edgecore.canary.comparison import Comparison
from edgecore.canary.rule import CanaryRule

pytestmark = needs_chromium


@pytest.fixture
def busy(served: Served) -> Served:
    """Every camera has shown a few images."""
    for camera, worker in itertools.product(served.core.cameras, ("w0", "w1")):
        served.do(lambda c=camera, w=worker: served.core.image(c, w))
    return served


def test_the_page_shows_workers_images_and_streams_without_an_error(
    browser: Browser, busy: Served
) -> None:
    browser.open(busy.port)
    # Two of each of the four cameras: a stream's first pictures are all shown.
    browser.wait("document.querySelectorAll('.image img').length === 8")
    browser.wait("[...document.querySelectorAll('.image img')].every(i => i.naturalWidth > 0)")

    assert browser.count(".worker") == 4
    assert browser.count("#streams tbody tr") == 4
    assert browser.text("#verdict") == "ok"
    assert browser("seen")["errors"] == []


def test_no_request_leaves_the_machine(browser: Browser, busy: Served) -> None:
    browser.open(busy.port, token=TOKEN)
    browser.wait("document.querySelector('.image img')")

    hosts = {urlsplit(url).netloc for url in browser("seen")["urls"]}
    assert hosts == {f"127.0.0.1:{busy.port}"}


def test_a_new_result_appears_by_itself(browser: Browser, served: Served) -> None:
    browser.open(served.port)
    served.do(lambda: served.core.image("press7", "w1"))

    browser.wait("document.querySelector('#images').innerText.includes('press7 #1')")


def test_detections_are_drawn_where_they_are(browser: Browser, served: Served) -> None:
    browser.open(served.port)
    served.do(lambda: served.core.image("cam1", "w0"))
    browser.wait(
        "document.querySelector('.image rect') && document.querySelector('.image img').naturalWidth"
    )

    picture, drawn = browser(
        "evaluate",
        script="['img', 'rect'].map(s => { const r = document.querySelector('.image ' + s)"
        ".getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })",
    )
    left, top = picture[0] + 0.3 * picture[2], picture[1] + 0.25 * picture[3]
    assert drawn[0] == pytest.approx(left, abs=3)
    assert drawn[1] == pytest.approx(top, abs=3)
    assert drawn[2] == pytest.approx(0.5 * picture[2], abs=4)


def test_a_hung_worker_is_red_and_the_site_degraded(browser: Browser, served: Served) -> None:
    browser.open(served.port)
    served.core.states["w2"] = "hung"

    browser.wait("document.querySelector('#verdict').innerText === 'degraded'")
    browser.wait("document.querySelector('.worker.bad h3').innerText === 'w2'")
    assert "w2 is hung" in browser.text("#problems")


def test_two_reasons_of_one_name_stay_two_rows_however_long_they_last(
    browser: Browser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two full disks are one `disk_full` each; the page draws the verdict with every state."""
    disks = [
        {"path": path, "use": use, "free_bytes": 0, "size_bytes": 1 << 30}
        for path, use in (("/state", "state"), ("/images", "images"))
    ]
    status = served.core.status
    monkeypatch.setattr(served.core, "status", lambda: {**status(), "disks": disks})
    browser.open(served.port)
    browser.wait("document.querySelectorAll('#problems p').length >= 2")
    script = """new Promise((done) => {
        let seen = 0;
        const more = new EventSource("/api/stream");
        more.addEventListener("state", () => (seen += 1) === 5 && done(more.close()));
    })"""
    browser("evaluate", script=script)

    assert browser.count("#problems p") == 2
    assert "/state" in browser.text("#problems")
    assert "/images" in browser.text("#problems")


def answer(label: str, score: float, ms: float) -> dict[str, Any]:
    top = {"top": [{"label": label, "index": 0, "score": score}]}
    return {"stream": "cam1", "seq": 1, "file": "1.jpg", "status": "ok", "task": "classification",
            "output": top, "ms": {"inference": ms}}  # fmt: skip


def canary(state: str, **more: Any) -> dict[str, Any]:
    found = Comparison(CanaryRule(images=40))
    for number in range(40):
        found.add(answer("bolt", 0.9, 10.0), answer("nut" if number < 4 else "bolt", 0.8, 12.0))
    return {**found.summary(), "state": state, "reason": "", "rule": asdict(found.rule),
            "model": {"name": "parts", "version": "2.0.0"}, "began": 1.0, "ended": None,
            "against": {"name": "parts", "version": "1.0.0"}, **more}  # fmt: skip


def test_a_canary_is_shown_while_it_runs_and_after_it_ended(
    browser: Browser, served: Served
) -> None:
    browser.open(served.port)
    browser.wait("document.querySelector('#canary-section').hidden")
    served.core.canary = canary("comparing")
    browser.wait("document.querySelector('#canary-state').innerText === 'comparing'")
    shown = browser.text("#canary-section")
    for said in ("parts 2.0.0 against parts 1.0.0", "40 of 40 images", "4, 10.0 %", "36 of 40",
                 "12.0 ms, was 10.0 ms", "-0.1"):  # fmt: skip
        assert said in shown
    assert browser.text("#canary-flips tbody tr").split() == ["bolt", "nut", "4"]

    served.core.canary = canary("refused", reason="the models disagree on 4 of 40 images")
    browser.wait("document.querySelector('#canary-state').innerText === 'refused'")
    assert "disagree on 4 of 40" in browser.text("#canary-reason")
    served.core.canary = canary("passed")
    browser.wait("document.querySelector('#canary-state').innerText === 'passed'")
    assert browser.text("#canary-reason") == ""
    assert browser("seen")["errors"] == []


def test_a_click_on_an_image_shows_its_trace(browser: Browser, served: Served) -> None:
    browser.open(served.port)
    served.do(lambda: served.core.image("cam1", "w0"))
    browser.wait("document.querySelector('.image img')")
    browser("click", selector=".image")

    browser.wait("document.querySelector('dialog[open] .spans')")
    trace = browser.text("#trace .spans")
    assert "inference" in trace
    assert "publish to cloud" in trace
    browser("press", key="Escape")
    browser.wait("!document.querySelector('dialog').open")


def test_a_click_on_a_failed_image_says_what_was_wrong_with_it(
    browser: Browser, served: Served
) -> None:
    browser.open(served.port)
    why = {"status": "failed", "reason": "not_an_image", "detail": "text ('garbage'), no picture"}
    served.do(lambda: served.core.image("cam1", "w0", **why))
    browser.wait("document.querySelector('.image')")
    browser("click", selector=".image")
    browser.wait("document.querySelector('dialog[open] .spans')")

    assert "not_an_image: text ('garbage'), no picture" in browser.text("#trace")


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_it_is_read_whole_that_the_core_is_gone(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    with serving(ReplayCore(tmp_path)) as only:
        browser.open(only.port, width=width, height=844)
    browser.wait("document.querySelector('#live').innerText.startsWith('core unreachable')")
    parts = "[...document.querySelectorAll('.bar *')]"
    right = f"Math.max(...{parts}.map((e) => e.getBoundingClientRect().right))"

    assert browser("evaluate", script=right) <= width


def test_without_the_token_the_page_offers_nothing_but_to_unlock(
    browser: Browser, served: Served
) -> None:
    browser.open(served.port)

    assert browser.count("#actions-body form") == 1
    assert not browser("evaluate", script="document.body.classList.contains('can-restart')")
    browser("fill", selector="[name=token]", text=TOKEN)
    browser("click", selector="#actions-body button")
    browser.wait("document.querySelectorAll('#actions-body form').length === 4")


def test_forms_that_cannot_be_fetched_are_said_to_be_missing(
    browser: Browser, served: Served
) -> None:
    browser.open(served.port, token=TOKEN, refuse="**/later/forms.js")

    browser.wait("document.querySelector('#actions-note').innerText.includes('reload this page')")
    browser.wait("document.body.classList.contains('can-restart')")
    assert browser.count("#actions-body form") == 0


def test_a_canary_whose_script_cannot_be_fetched_is_named_and_what_is_missing_is_said(
    browser: Browser, served: Served
) -> None:
    served.core.canary = canary("comparing")
    browser.open(served.port, refuse="**/later/canary.js")

    browser.wait("document.querySelector('#canary-reason').innerText.includes('reload this page')")
    assert browser.text("#canary-state") == "comparing"


def test_a_worker_is_restarted_by_a_click(browser: Browser, served: Served) -> None:
    browser.open(served.port, token=TOKEN)
    browser.wait("document.body.classList.contains('can-restart')")
    browser("click", selector=".worker [data-part=restart]")

    browser.wait("document.querySelector('#actions-answer').innerText === 'Restarting w0.'")
    assert served.core.calls == [("restart", "w0")]


def test_the_token_leaves_the_address_bar(browser: Browser, served: Served) -> None:
    browser.open(served.port, token=TOKEN)

    assert TOKEN not in browser("evaluate", script="location.href")


def test_a_test_picture_is_sent_as_a_jpeg_to_the_chosen_camera(
    browser: Browser, served: Served
) -> None:
    browser.open(served.port, token=TOKEN)
    browser.wait("document.querySelector('[name=camera]')")
    browser("evaluate", script="document.querySelector('[name=camera]').value = 'cam2'")
    browser("evaluate", script="document.querySelector('[name=camera]').form.requestSubmit()")

    browser.wait("document.querySelector('#actions-answer.ok')")
    [(verb, topic, content)] = served.core.calls
    assert (verb, topic) == ("publish", "demo/images/cam2")
    assert content.startswith(b"\xff\xd8")


def test_a_followed_topic_is_shown_until_stopped(browser: Browser, served: Served) -> None:
    browser.open(served.port, token=TOKEN)
    browser.wait("document.querySelector('[name=filter]')")
    browser("evaluate", script="document.querySelector('[name=filter]').form.requestSubmit()")
    served.eventually(lambda: len(served.core.observers._observers) == 2, "the listener")
    served.do(lambda: served.core.image("cam1", "w0"))

    browser.wait(
        "document.querySelector('#actions .lines').innerText.includes('demo/results/cam1')"
    )
    browser("evaluate", script="document.querySelector('[name=filter]').form.requestSubmit()")
    served.eventually(lambda: len(served.core.observers._observers) == 1, "the listener is gone")


def test_read_only_hides_every_action(browser: Browser, served_read_only: Served) -> None:
    browser.open(served_read_only.port, token=TOKEN)

    assert browser.count("#actions form") == 0
    assert "read-only" in browser.text("#actions-note")


def test_a_log_is_followed_filtered_and_never_grows_beyond_its_lines(
    browser: Browser, served: Served
) -> None:
    log = served.core.log_dir / "w0.log"
    with log.open("a") as out:
        for n in range(100):
            entry = {"t": 1.0, "level": "WARNING", "message": f"line {n}", "image": f"m/{n}"}
            out.write(json.dumps(entry) + "\n")
    browser.open(served.port)
    browser.wait("document.querySelector('#logs-name').value === 'w0'")
    browser("click", selector="#logs-follow")
    browser.wait("document.querySelector('#logs-lines').innerText.includes('line 99')")
    with log.open("a") as out:
        out.writelines(f"print of somebody else {n}\n" for n in range(1000))

    browser.wait("document.querySelector('#logs-lines').innerText.includes('else 999')")
    assert browser.count("#logs-lines > div") == 300
    browser("fill", selector="#logs-filter", text="else 998")
    assert browser.count("#logs-lines > div:not([hidden])") == 1


def test_a_thousand_streams_leave_a_small_page(browser: Browser, tmp_path: Path) -> None:
    cameras = [f"cam{n}" for n in range(1000)]
    with serving(ReplayCore(tmp_path, cameras=cameras)) as served:
        for start in range(0, 1000, 100):
            batch = cameras[start : start + 100]
            served.do(lambda batch=batch: [served.core.image(c, "w0") for c in batch])
            served.eventually(lambda last=batch[-1]: served.trace(last, 1), "the batch")
        browser.open(served.port)
        browser.wait("document.querySelector('#streams-note').innerText.includes('1,000')")

        assert browser.count("#streams tbody tr") == 50
        assert browser.count(".image") == 12
        assert browser.count("*") < 2500


def test_a_page_that_is_open_for_days_keeps_ten_minutes(browser: Browser, served: Served) -> None:
    browser.open(served.port)
    kept = browser(
        "evaluate",
        script="import('/static/charts.js').then(({ Charts }) => { const c = new Charts();"
        "for (let t = 1; t < 100000; t += 1) c.append([[t, 1]]);"
        "return [c.points.length, c.points.at(-1)[0]]; })",
    )
    assert kept == [600, 99999]


def test_charts_go_on_at_once_though_the_clock_was_set_back(
    browser: Browser, served: Served
) -> None:
    browser.open(served.port)
    kept = browser(
        "evaluate",
        script="import('/static/charts.js').then(({ Charts }) => { const c = new Charts();"
        "for (const t of [7200, 7201, 3600, 3601]) c.append([[t, 1]]);"
        "return c.points.map((p) => p[0]); })",
    )
    assert kept == [3600, 3601]


def test_a_name_is_never_taken_for_markup(browser: Browser, served: Served) -> None:
    browser.open(served.port)
    nasty = "<img src=x onerror=alert(1)>\u202eevil\x1b[31m"
    output = {"top": [{"label": nasty, "index": 0, "score": 0.9}]}
    served.do(lambda: served.core.image("cam1", "w0", output=output))
    browser.wait("document.querySelector('.image')")

    assert "<img src=x onerror=alert(1)>\\u{202e}evil\\u{1b}[31m" in browser.text("#images")
    assert browser("seen")["errors"] == []


def test_the_page_comes_back_after_a_core_restart(browser: Browser, tmp_path: Path) -> None:
    with serving(ReplayCore(tmp_path)) as first:
        browser.open(first.port)
        first.do(lambda: first.core.image("cam1", "w0"))
        browser.wait("document.querySelector('.image')")
        port = first.port
    browser.wait("document.querySelector('#live').innerText.startsWith('core unreachable')")

    with serving(ReplayCore(tmp_path), port=port) as second:
        browser.wait("document.querySelector('#live').innerText === 'live'", 20_000)
        browser.wait("document.querySelector('#images').innerText === 'No results yet.'")
        second.do(lambda: second.core.image("press8", "w0"))
        browser.wait("document.querySelector('#images').innerText.includes('press8 #1')")


@pytest.mark.parametrize("width", [320, 390, 768, 1400])
def test_nothing_is_wider_than_the_screen(browser: Browser, busy: Served, width: int) -> None:
    browser.open(busy.port, token=TOKEN, width=width, height=844)
    browser.wait("document.querySelector('.image img')")

    assert browser("evaluate", script="document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(browser: Browser, busy: Served, scheme: str) -> None:
    """WCAG AA asks for 4.5 to 1."""
    browser.open(busy.port, scheme=scheme)
    browser.wait("document.querySelector('.image img')")

    lowest = browser("evaluate", script=_LOWEST_CONTRAST)
    assert lowest["ratio"] >= 4.5, lowest


_LOWEST_CONTRAST = """(() => {
  const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let lowest = { ratio: 99 };
  for (const node of document.querySelectorAll('main *, header *')) {
    const text = [...node.childNodes].some(c => c.nodeType === 3 && c.data.trim());
    if (!text || !node.offsetParent || node.closest('.stage, option, .u-legend')) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const where = { text: node.innerText.slice(0, 40), kind: node.className };
    if (ratio < lowest.ratio) lowest = { ratio, ...where };
  }
  return lowest;
})()"""
