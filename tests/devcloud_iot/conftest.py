from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from things import Thing, make_thing

import devcloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devcloud.DevCloud]:
    started = devcloud.start(port=0, state_dir=tmp_path_factory.mktemp("devcloud"))
    yield started
    started.stop()


_numbers = itertools.count(1)


@pytest.fixture
def new_thing(cloud: devcloud.DevCloud, tmp_path) -> Callable[..., Thing]:
    """Makes things with the policy OWN, or with the statements given."""

    def make(statements=None, name: str | None = None) -> Thing:
        name = name or f"box-{next(_numbers)}"
        return make_thing(cloud, tmp_path / name, name, statements)

    return make


@pytest.fixture(autouse=True)
def defaults(cloud: devcloud.DevCloud) -> Iterator[None]:
    """No fault of one test reaches the next."""
    before = cloud.iot()["settings"]
    yield
    cloud.iot(settings=before)
