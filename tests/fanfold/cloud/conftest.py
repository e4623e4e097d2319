from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from cloud_plant import Plant, package

import devcloud
from fanfold.device.interpreters import device_python


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devcloud.DevCloud]:
    started = devcloud.start(port=0, state_dir=tmp_path_factory.mktemp("state") / "devcloud")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def make_plant(
    cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Plant]]:
    """Sites of their own with a good model published, nothing deployed; their cores end here."""
    if device_python() is None:
        pytest.skip("no interpreter for the Lambdas (.venv-device): run `make setup`")
    made: list[Plant] = []

    def make() -> Plant:
        folder = tmp_path_factory.mktemp("plant")
        made.append(plant := Plant(cloud, folder, f"p{uuid.uuid4().hex[:6]}"))
        plant.publish(package(folder, "good"))
        plant.state.mkdir()
        (plant.state / "devcloud").symlink_to(cloud.state_dir)
        return plant

    yield make
    for plant in made:
        plant.stop_core()


@pytest.fixture
def plant(make_plant: Callable[[], Plant]) -> Iterator[Plant]:
    """Its core ends with the test: until the module's end all of them would ask the cloud."""
    made = make_plant()
    yield made
    made.stop_core()
