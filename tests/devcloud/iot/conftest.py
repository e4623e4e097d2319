from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from things import Thing, make_thing

import devcloud

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """boto3 closes the sockets of its clients when it is collected, not before."""
    for item in items:
        if "devcloud" in item.path.parts:
            item.add_marker(
                pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
            )
