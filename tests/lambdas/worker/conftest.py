"""Workers that end with their test."""

import pytest
from inference_kit import Bus, jpeg, photo, start


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def begin(tmp_path, bus):
    """Start a worker on a package; it is stopped when the test is over."""
    started = []

    def begin(model, **env):
        started.append(start(tmp_path, model, bus, **env))
        return started[-1]

    yield begin
    for worker in started:
        worker.stop()


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images" / "cam1"
    folder.mkdir(parents=True)
    for name in ("coffee", "chelsea"):
        (folder / (name + ".jpg")).write_bytes(jpeg(photo(name)))
    return folder
