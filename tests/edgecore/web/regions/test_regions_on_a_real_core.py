"""Region and masks of a real core: what they do to results; how others are drawn and proposed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chromium import Browser, needs_chromium
from real_core import RealCore

from contract.regions import regions_from
from fanfold.device.interpreters import device_python

pytestmark = [
    needs_chromium,
    pytest.mark.e2e,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]

#: Around the middle of the picture, where the hook of this core finds its one part.
MIDDLE = [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]
POINTS = "[...document.querySelectorAll('.handle:not(.more)')]"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    core.write(cameras=[{"name": "left"}, {"name": "right", "masks": [MIDDLE]}])
    core.start()
    for camera in ("left", "right"):
        core.send(camera)
    core.eventually(lambda: len(records(core)) == 6, "six images in the history")
    yield core
    core.stop()


@pytest.fixture
def page(browser: Browser, hall: RealCore) -> Browser:
    """The camera without region and masks, its last picture shown."""
    show(browser, hall, "left")
    return browser


def show(browser: Browser, hall: RealCore, camera: str, **given: Any) -> None:
    url = f"http://127.0.0.1:{hall.port}/regions?camera={camera}#token={hall.token}"
    browser("open", url=url, **given)
    browser.wait("document.querySelector('#canvas img')?.naturalWidth")


def records(core: RealCore, query: str = "") -> list[dict[str, Any]]:
    return json.loads(core.ask(f"/api/history/records?{query}")[1])["records"]


def landed(core: RealCore) -> list[str]:
    files = (core.folder / "s/core/hall/cloud").rglob("*.jsonl")
    return [line for path in files for line in path.read_text().splitlines()]


def on_picture(page: Browser, x: float, y: float) -> tuple[float, float]:
    """Pixels of the window, of a point in fractions of the picture."""
    left, top, width, height = page(
        "evaluate",
        script="(() => { const r = document.querySelector('#canvas').getBoundingClientRect();"
        " return [r.x, r.y, r.width, r.height]; })()",
    )
    return left + x * width, top + y * height


def click(page: Browser, *points: tuple[float, float]) -> None:
    for point in points:
        at = on_picture(page, *point)
        page("mouse", steps=[["move", *at], ["down"], ["up"]])


def proposed(page: Browser) -> dict[str, Any]:
    """The camera's entry, out of the piece that the page hands out."""
    page("click", selector="#propose")
    page.wait("!document.querySelector('#answer').hidden")
    assert page.text("#answer").startswith("Proposal "), page.text("#answer")
    (camera,) = yaml.safe_load(page.text("#yaml"))["cameras"]
    return camera


def near(polygon: list[list[float]], *points: tuple[float, float]) -> bool:
    return polygon == [pytest.approx(list(point), abs=0.01) for point in points]


def test_a_part_behind_a_mask_is_no_result_and_the_page_draws_the_mask(
    browser: Browser, hall: RealCore
) -> None:
    browser.open(hall.port)
    browser.wait("document.querySelector('.image .unseen')")

    assert {len(r["labels"]) for r in records(hall, "camera=left")} == {1}
    assert {len(r["labels"]) for r in records(hall, "camera=right")} == {0}
    name = regions_from({"masks": [MIDDLE]}).name
    hall.eventually(
        lambda: any(name in line and "ignored" in line for line in landed(hall)),
        "the cloud has a record that counts what the mask hid",
    )
    assert browser("seen")["errors"] == []


def test_a_region_and_a_mask_are_drawn_with_the_mouse_and_proposed(
    page: Browser, hall: RealCore
) -> None:
    before = (hall.folder / "sites/hall.yaml").read_text()
    page("click", selector="[data-draw=region]")
    click(page, (0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1))
    page("click", selector="[data-draw=mask]")
    click(page, (0.3, 0.3), (0.5, 0.3), (0.4, 0.5))
    page("press", key="Enter")
    # One corner is pulled, and the whole mask by its middle.
    start, end = on_picture(page, 0.4, 0.5), on_picture(page, 0.4, 0.6)
    page("mouse", steps=[["move", *start], ["down"], ["move", *end], ["up"]])
    start, end = on_picture(page, 0.4, 0.4), on_picture(page, 0.5, 0.4)
    page("mouse", steps=[["move", *start], ["down"], ["move", *end], ["up"]])
    camera = proposed(page)

    assert camera["name"] == "left"
    assert near(camera["region"], (0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    assert near(camera["masks"][0], (0.4, 0.3), (0.6, 0.3), (0.5, 0.6))
    name = regions_from({k: camera[k] for k in ("region", "masks")}).name
    audit = [json.loads(line) for line in hall.fanfold("audit", "hall", "--json").splitlines()]
    (act,) = [a for a in audit if a.get("detail", {}).get("proposal") == name]
    assert act["what"] == "POST /api/actions/propose-regions"
    assert act["detail"]["camera"] == "left"
    assert act["detail"]["region"] == camera["region"]
    assert (hall.folder / "sites/hall.yaml").read_text() == before, "a proposal changes nothing"
    assert page("evaluate", script="document.querySelector('#download').download").endswith(
        f"hall-left-regions-{name}.yaml"
    )
    assert page("seen")["errors"] == []


def test_the_piece_is_taken_by_the_site_file(page: Browser, hall: RealCore) -> None:
    page("click", selector="[data-draw=mask]")
    page("press", key="Enter")  # the dot in the middle has the focus: a rectangle
    camera = proposed(page)
    site = yaml.safe_load((hall.folder / "sites/hall.yaml").read_text())
    site["cameras"][0] = camera
    (hall.folder / "sites/other.yaml").write_text(yaml.safe_dump({**site, "name": "other"}))

    assert near(camera["masks"][0], (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
    planned = json.loads(hall.fanfold("plan", "other", "--json"))
    assert "FANFOLD_REGIONS" in json.dumps(planned)


def test_with_keys_alone_a_point_is_moved_added_and_removed(page: Browser) -> None:
    page("click", selector="[data-draw=mask]")
    page("press", key="Enter")
    page.wait(f"document.activeElement === {POINTS}[0]")
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowLeft"):
        page("press", key=key)
    assert near(proposed(page)["masks"][0][:1], (0.345, 0.395))

    page("evaluate", script=f"{POINTS}[0].focus()")
    page("press", key="+")
    page.wait(f"{POINTS}.length === 5 && document.activeElement === {POINTS}[1]")
    page("press", key="Delete")
    page("press", key="Delete")
    page.wait(f"{POINTS}.length === 3")
    page("press", key="Delete")
    assert page("evaluate", script=f"{POINTS}.length") == 3, "three points stay"
    page("press", key="Control+z")
    page.wait(f"{POINTS}.length === 4")


def test_with_a_finger_on_a_phone_a_region_is_drawn_and_a_corner_pulled(
    browser: Browser, hall: RealCore
) -> None:
    show(browser, hall, "left", width=390, height=844, scheme="dark")
    browser("click", selector="[data-draw=region]")
    for point in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8)):
        at = on_picture(browser, *point)
        browser("touch", steps=[["touchStart", *at], ["touchEnd"]])
    at = on_picture(browser, 0.2, 0.2)
    browser("touch", steps=[["touchStart", *at], ["touchEnd"]])
    browser.wait("document.querySelector('#shapes').innerText.includes('3 points')")
    start, end = on_picture(browser, 0.8, 0.8), on_picture(browser, 0.5, 0.9)
    browser("touch", steps=[["touchStart", *start], ["touchMove", *end], ["touchEnd"]])
    camera = proposed(browser)

    assert near(camera["region"], (0.2, 0.2), (0.8, 0.2), (0.5, 0.9))
    wide = browser("evaluate", script="document.documentElement.scrollWidth")
    assert wide <= 390, "nothing is cut off at a phone's width"
    browser("screenshot", path=str(hall.folder / "phone.png"))


def test_the_empty_frame_of_a_camera_without_pictures_fits_a_phone(
    browser: Browser, hall: RealCore
) -> None:
    url = f"http://127.0.0.1:{hall.port}/regions?camera=left#token={hall.token}"
    browser("open", url=url, width=390, height=844, refuse="**/api/image/**")
    browser.wait("document.querySelector('#canvas .blank')")

    assert browser("evaluate", script="document.documentElement.scrollWidth") <= 390


def test_an_outline_that_cannot_be_is_refused_in_words_and_stays_drawn(page: Browser) -> None:
    page("click", selector="[data-draw=region]")
    click(page, (0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9), (0.1, 0.1))
    page("click", selector="#propose")
    page.wait("document.querySelector('#answer').innerText.includes('crosses itself')")

    assert page.count("#shapes li") == 1
    assert page("evaluate", script="document.querySelector('#yaml').hidden")


def test_boxes_that_a_mask_left_out_are_counted_by_camera(hall: RealCore) -> None:
    def counted() -> list[str]:
        lines = hall.ask("/metrics")[1].decode().splitlines()
        return [x for x in lines if x.startswith("fanfold_aggregator_ignored_boxes_total{")]

    expected = ['fanfold_aggregator_ignored_boxes_total{camera="right"} 3.0']
    hall.eventually(lambda: counted() == expected, "three boxes behind the mask, none elsewhere")


def test_what_is_deployed_comes_back_and_is_known_as_such(browser: Browser, hall: RealCore) -> None:
    show(browser, hall, "right")
    browser("evaluate", script="document.querySelector('#shapes .quiet').click()")
    browser.wait("document.querySelector('#shapes .empty')")
    assert "masks" not in proposed(browser)
    browser("click", selector="#deployed")

    assert proposed(browser)["masks"] == [MIDDLE]
    assert "what runs already" in browser.text("#answer")
