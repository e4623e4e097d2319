"""A dashboard on a free loopback port, fed by a replayed core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser
from dashboard_replay import ReplayCore
from dashboard_serving import Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(ReplayCore(tmp_path)) as running:
        yield running


@pytest.fixture
def served_read_only(tmp_path: Path) -> Iterator[Served]:
    with serving(ReplayCore(tmp_path), read_only=True) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
