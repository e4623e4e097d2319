"""Guides that need a cloud, with one development cloud and one site for all of them."""

from __future__ import annotations

import tarfile

import pytest
from guide_shell import Shell, blocks

URI = "s3://hall-models/models/lite0/1.0.0.tar.gz"
pytestmark = [pytest.mark.e2e, pytest.mark.in_order, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hall(make_hall) -> Shell:
    return make_hall()


def test_a_model_of_your_own_is_packed_run_and_published(hall):
    folder = hall.folder / "my-model"
    with tarfile.open(hall.folder / "build/models/lite0-1.0.0.tar.gz") as package:
        package.extractall(folder, filter="data")
    text = (folder / "model.json").read_text().replace('"lite0"', '"press-defects"')
    (folder / "model.json").write_text(text.replace('"1.0.0"', '"2.1.0"'))
    *_, pack, run, publish = blocks("own-model.md")
    upload, deploy = publish.splitlines()
    hall.type(pack)
    hall.type("fanfold run hall --model press-defects-2.1.0.tar.gz --detach\nfanfold results")
    hall.type("\n".join(run.splitlines()[1:]))
    hall.heard("press-defects 2.1.0")
    hall.type("fanfold stop\nfanfold devcloud start --bootstrap")

    uri = hall.type(upload).strip().splitlines()[-1]

    assert uri.startswith("s3://greengrass-hall-models/models/press-defects/2.1.0-")
    assert "DeploymentStatus = Success" in hall.type(f"{deploy.rpartition(' ')[0]} {uri}")


def test_a_camera_with_a_certificate(hall):
    publish = "fanfold model publish build/models/lite0-1.0.0.tar.gz --bucket hall-models"
    uri = hall.type(publish).strip().splitlines()[-1]
    site = hall.folder / "sites" / "hall.yaml"
    site.write_text(site.read_text().replace(URI, uri))

    hall.type(blocks("camera-by-mqtt.md")[3])

    hall.heard("core runs group hall")
