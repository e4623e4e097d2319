"""What the page is made of, without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from every import every

from edgecore.web.dashboard.app import STATIC

MAX_PAGE_BYTES = 120_000
FILES = sorted(p for p in STATIC.rglob("*") if p.is_file())
OWN = [p for p in FILES if "vendor" not in p.parts]


def test_the_whole_page_stays_below_its_stated_weight() -> None:
    page = [p for p in FILES if not {"history", "people", "regions", "later"} & set(p.parts)]

    assert sum(p.stat().st_size for p in page) < MAX_PAGE_BYTES


@pytest.mark.parametrize("path", OWN, ids=lambda p: p.name)
def test_no_file_names_another_host(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "").replace("http://…", "")

    assert not re.findall(r"(?:https?:)?//[a-z0-9]", text.replace("\n//", "\n"))


def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    html = (STATIC / "index.html").read_text()

    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", html)
    assert every(" src=" in tag for tag in re.findall(r"<script[^>]*>", html))


def test_every_script_that_is_imported_is_there_and_fetched_early() -> None:
    html = (STATIC / "index.html").read_text()
    preloaded = set(re.findall(r'href="/static/(\w+\.js)"', html))
    imported = {
        name
        for path in STATIC.glob("*.js")
        for name in re.findall(r'from "\./(\w+\.js)"', path.read_text())
    }

    assert imported == preloaded
    assert every((STATIC / name).is_file() for name in imported)


def test_what_is_fetched_when_there_is_a_use_for_it_is_there() -> None:
    scripts = "".join(p.read_text() for p in STATIC.glob("*.js"))
    there = {f"later/{path.name}" for path in (STATIC / "later").iterdir()}

    assert set(re.findall(r'await import\("\./([\w/]+\.js)"\)', scripts)) == there
    assert 'from "./later' not in scripts


def test_every_id_that_a_script_asks_for_is_in_the_page_or_made_by_one() -> None:
    scripts = "".join(p.read_text() for p in [*STATIC.glob("*.js"), *STATIC.glob("later/*.js")])
    made = set(re.findall(r'id: "([\w-]+)"', scripts))
    there = set(re.findall(r'id="([\w-]+)"', (STATIC / "index.html").read_text()))

    assert set(re.findall(r'byId\("([\w-]+)"\)', scripts)) <= there | made


def test_vendored_code_comes_with_its_licence() -> None:
    for folder in (STATIC / "vendor").iterdir():
        assert (folder / "LICENSE").is_file(), folder.name


def test_a_page_looks_alive_over_a_lost_core_for_less_than_two_seconds() -> None:
    """By its own numbers: after so long without an update, looked at so often."""
    text = (STATIC / "feed.js").read_text()
    [stale] = re.findall(r"const STALE_MS = (\d+);", text)
    [look] = re.findall(r"const LOOK_MS = (\d+);", text)

    assert int(stale) + int(look) < 2_000
