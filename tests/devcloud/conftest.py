"""One development cloud for all tests of this folder, on a free port, ended at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import devcloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devcloud.DevCloud]:
    started = devcloud.start(port=0, state_dir=tmp_path_factory.mktemp("devcloud"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def bootstrapped(cloud: devcloud.DevCloud) -> devcloud.DevCloud:
    devcloud.bootstrap(cloud)
    return cloud
