"""The fleet page in a real browser: as a file that is kept, and as it is served."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from chromium import Browser, needs_chromium
from fleet_kit import DEPLOYED, NOW, report, row, verdict
from waiting import eventually

from fanfold.fleet.page import data_of, page
from fanfold.fleet.row import Row, Site
from fanfold.fleet.serving import app, serve

EVIL = "</script><img src=x onerror=alert(1)>\u001b[31m\u202e"


def rows() -> list[Row]:
    """One of each verdict. `hall` is ok for 180 s more."""

    def site(name: str, every_s: int | None = 60) -> dict[str, Any]:
        return {"site": Site(name, "v1", f"{name}-core", every_s)}

    def core(name: str) -> dict[str, Any]:
        return {"core": f"{name}-core"}

    lost = {"level": "degraded", "subject": EVIL, "problem": EVIL}
    images = report(part="aggregator", results=900, failed=3, **core("hall"))
    return [
        row(verdict(**core("hall")), images, **site("hall"), deployed=None, drift=()),
        row(verdict("degraded", reasons=[lost], **core("press")), **site("press"), deployed=None,
            drift=("workers 2 → 4",)),
        row(verdict("down", **core("weld")), **site("weld"), deployed=None),
        row(verdict("ok", 9_000, **core("paint")), **site("paint"), deployed=None),
        row(**site("new"), deployed=None),
        row(**site("quiet", None), deployed=DEPLOYED),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def kept(tmp_path: Path) -> str:
    path = tmp_path / "fleet.html"
    path.write_text(page(data_of(rows(), NOW, "the development cloud")), encoding="utf-8")
    return path.as_uri()


def verdicts(browser: Browser) -> dict[str, str]:
    script = "Object.fromEntries([...document.querySelectorAll('tr[data-site]')].map("
    return browser(
        "evaluate", script=f"{script}r => [r.dataset.site, r.querySelector('.pill').innerText]))"
    )


def sites(browser: Browser) -> list[str]:
    script = "[...document.querySelectorAll('tr[data-site]')].map(r => r.dataset.site)"
    return browser("evaluate", script=script)


def at(browser: Browser, t: float) -> None:
    """The browser's clock, and the page drawn by it."""
    browser("evaluate", script=f"Date.now = () => {t * 1000}; draw(); 0")


@needs_chromium
def test_the_worst_is_first_and_a_column_sorts(browser: Browser, kept: str) -> None:
    browser("open", url=kept)
    at(browser, NOW)

    assert sites(browser) == ["weld", "paint", "quiet", "press", "new", "hall"]
    browser("click", selector="th[data-column=site] button")
    assert sites(browser) == sorted(sites(browser))
    browser("click", selector="th[data-column=site] button")
    assert sites(browser) == sorted(sites(browser), reverse=True)
    browser("fill", selector="#filter", text="silent")
    assert sites(browser) == ["paint"]


@needs_chromium
def test_a_page_that_is_opened_later_shows_no_site_as_ok(browser: Browser, kept: str) -> None:
    browser("open", url=kept)
    at(browser, NOW)
    fresh = verdicts(browser)
    at(browser, NOW + 86_400)

    assert fresh["hall"] == "ok"
    assert "ok" not in verdicts(browser).values()
    assert verdicts(browser)["hall"] == "silent"
    assert verdicts(browser)["weld"] == "down"
    assert "1 d ago" in browser.text("#read")


@needs_chromium
def test_what_a_device_says_is_text_and_never_markup(browser: Browser, kept: str) -> None:
    browser("open", url=kept)
    at(browser, NOW)

    assert browser.count("#rows img") == 0
    assert "onerror" in browser.text("tr[data-site=press]")
    assert browser("seen")["errors"] == []
    assert browser("seen")["urls"] == [kept]


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, kept: str, tmp_path: Path, scheme: str, width: int
) -> None:
    browser("open", url=kept, width=width, height=800, scheme=scheme)
    at(browser, NOW)
    browser("screenshot", path=str(tmp_path / f"fleet-{scheme}-{width}.png"))

    assert browser("evaluate", script="document.documentElement.scrollWidth") <= width
    colour = browser("evaluate", script="getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(20, 23, 26)") == (scheme == "dark")


@pytest.fixture
def served() -> Iterator[tuple[str, list[Any], uvicorn.Server]]:
    """Address, the list whose last entry is what is read, the server."""
    told: list[Any] = [data_of(rows(), NOW, "AWS", 1.0)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(app(lambda: told[-1], 0.2), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        eventually(lambda: server.started, "the server")
        yield f"http://127.0.0.1:{port}", told, server
        server.should_exit = True
        thread.join()


@needs_chromium
def test_the_served_page_follows_and_greys_out_without_its_server(browser, served) -> None:
    address, told, server = served
    browser("open", url=address)
    told.append(data_of([row(verdict("down"))], NOW, "AWS", 1.0))

    browser.wait("document.querySelectorAll('tr[data-site]').length === 1", 60_000)
    server.should_exit = True

    browser.wait("document.documentElement.classList.contains('lost')", 60_000)
    assert "does not answer" in browser.text("#read")


def ask(address: str, host: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    connection.request("GET", "/sites.json", headers={"Host": host})
    answer = connection.getresponse()
    said = answer.status, answer.read()
    connection.close()
    return said


def test_another_name_for_this_machine_is_refused(served) -> None:
    address, _, _ = served

    assert ask(address, "localhost")[0] == 200
    status, said = ask(address, "evil.example")
    assert status == 400
    assert b"sites" not in said


def test_an_address_is_told_only_where_the_port_is_ours() -> None:
    told: list[int] = []
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        serve(dict, taken.getsockname()[1], told.append)

    assert told == []
