"""Guides that need a core which runs: typed on one, in any order."""

from __future__ import annotations

import json
import shutil

import pytest
from guide_shell import Shell, blocks

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def running(make_hall) -> Shell:
    hall = make_hall()
    hall.type("fanfold run hall --model build/models/lite0-1.0.0.tar.gz --detach")
    return hall


@pytest.fixture
def hall(running):
    """A terminal of one's own: who listened for an earlier guide is gone."""
    yield running
    running.hang_up()


def test_a_camera_over_mqtt(hall):
    listen, bare, named, _ = blocks("camera-by-mqtt.md")
    images = hall.folder.parent / "hall" / "images" / "cam1"
    images.mkdir(parents=True, exist_ok=True)
    shutil.copy(hall.folder / "image.jpg", images / "000123.jpg")
    hall.type(listen)
    hall.type(bare)
    hall.type(named)
    hall.heard('"id":"c1-000123"')


def test_a_drop_folder(hall):
    (hall.folder.parent / "hall/images/drop/cam2").mkdir(parents=True, exist_ok=True)
    *copy, follow = blocks("drop-folder.md")[0].splitlines()

    hall.type(follow)
    hall.type("\n".join(copy))

    hall.heard("lite0 1.0.0")


def test_when_something_is_wrong(hall):
    # The doctor of a machine without a certificate or with another Python has something to say.
    said = hall.type(blocks("troubleshooting.md")[0], exits=(0, 1, 3))

    assert "running" in said


def test_an_action_of_the_dashboard(hall):
    state = json.loads((hall.folder / ".fanfold/core/hall/core.json").read_text())

    said = hall.type(f"TOKEN={state['token']}; " + blocks("dashboard.md")[0])

    assert '"ok":true' in said.replace(" ", "")
