"""Guides that need a cloud, with one development cloud and one site for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from guide_blocks import PROJECT, Walk
from guide_shell import Shell
from PIL import Image

URI = "s3://hall-models/models/lite0/1.0.0.tar.gz"
pytestmark = [pytest.mark.story, pytest.mark.e2e, pytest.mark.in_order, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hall(make_hall) -> Shell:
    return make_hall()


@pytest.fixture
def networks(hall: Shell) -> Path:
    """Small networks of each kind, labels, and one picture that they know; photographs after."""
    made = hall.folder / "networks"
    made.mkdir()
    make = PROJECT / "tests/kit/make_networks.py"
    subprocess.run([PROJECT / ".venv-device/bin/python", make, made], check=True)
    for name, source in (("best", "yolo"), ("classes", "classes"), ("anomaly", "anomaly")):
        shutil.copy(made / f"{source}.onnx", hall.folder / f"{name}.onnx")
    (hall.folder / "labels.txt").write_text("red\ngreen\nblue\n")
    (hall.folder / "photos").unlink()
    (hall.folder / "photos").mkdir()
    part = Image.new("RGB", (128, 96), (90, 90, 90))
    part.paste((230, 10, 10), (32, 32, 64, 64))
    part.save(hall.folder / "photos" / "1.png")
    yield made
    shutil.rmtree(hall.folder / "photos")
    (hall.folder / "photos").symlink_to("build/images")


def unpack(package: Path, folder: Path) -> Path:
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
    return folder


def as_sagemaker_writes_it(hall: Shell, package: Path) -> None:
    lite0 = unpack(package, hall.folder / "lite0")
    shutil.copy(next(lite0.glob("*-symbol.json")), hall.folder / "model_algo_1-symbol.json")
    shutil.copy(next(lite0.glob("*.params")), hall.folder / "model_algo_1-0000.params")
    sizes = {"image_shape": "512", "num_classes": 2}
    (hall.folder / "hyperparams.json").write_text(json.dumps(sizes))


def test_models_of_your_own_are_packed_run_and_published(
    hall: Shell, networks: Path, built: Path
) -> None:
    with Walk("own-model.md") as guide:
        assert "red part" in hall.type(guide.next())
        assert "1.0.0.tar.gz" in hall.type(guide.next())
        assert "normal, score 0." in hall.type(guide.next())
        as_sagemaker_writes_it(hall, built / "models/lite0-1.0.0.tar.gz")
        assert "sagemaker-ssd" in hall.type(guide.next())

        ours = unpack(hall.folder / "build/models/lite0-1.0.0.tar.gz", hall.folder / "my-model")
        shown = json.loads(guide.next("json"))
        named = {key: shown[key] for key in ("name", "version")}
        manifest = json.loads((ours / "model.json").read_text())
        assert named == {"name": "press-defects", "version": "2.1.0"}
        (ours / "model.json").write_text(json.dumps({**manifest, **named}))
        hall.type(guide.next())

        run, *try_it = guide.next().splitlines()
        hall.type(run)
        hall.type("fanfold results")
        hall.type("\n".join(try_it))
        hall.heard("press-defects 2.1.0")
        hall.type("fanfold stop\nfanfold devcloud start --bootstrap")
        upload, deploy = guide.next().splitlines()
        uri = hall.type(upload).strip().splitlines()[-1]
        assert uri.startswith("s3://greengrass-hall-models/models/press-defects/2.1.0-")
        assert "DeploymentStatus = Success" in hall.type(f"{deploy.rpartition(' ')[0]} {uri}")
        assert "FANFOLD_MODEL_KEY: " in hall.type(guide.next())


def test_a_camera_over_mqtt_and_then_with_a_certificate(hall: Shell) -> None:
    hall.hang_up()
    hall.type("fanfold run hall --model build/models/lite0-1.0.0.tar.gz --detach")
    images = hall.folder.parent / "hall" / "images" / "cam1"
    images.mkdir(parents=True, exist_ok=True)
    shutil.copy(hall.folder / "image.jpg", images / "000123.jpg")
    shutil.copy(hall.folder / "build/images/ATTRIBUTION.txt", images / "none-of-it.txt")
    with Walk("camera-by-mqtt.md") as guide:
        hall.type(guide.next())
        hall.type(guide.next())
        hall.type(guide.next())
        hall.heard('"id":"c1-000123"')

        asks = 'print(send(connect(), "c1-000124", "cam1/000123.jpg"))\n'
        (hall.folder / "camera.py").write_text(f"{guide.next('python')}\n\n{asks}")
        hall.hang_up()  # one client of a name
        assert "'id': 'c1-000124'" in hall.type("python camera.py")

        hall.type("fanfold stop")
        publish = "fanfold model publish build/models/lite0-1.0.0.tar.gz --bucket hall-models"
        uri = hall.type(publish).strip().splitlines()[-1]
        site = hall.folder / "sites" / "hall.yaml"
        site.write_text(site.read_text().replace(URI, uri))
        hall.type(guide.next())
        hall.heard("core runs group hall")
    hall.hang_up()


def test_a_site_is_looked_at_updated_taken_back_and_removed(hall: Shell) -> None:
    def here(block: str) -> str:
        return block.replace("line-3", "hall").replace("lite0-1.1.0", "build/models/lite0-1.1.0")

    with Walk("updates-and-rollback.md") as guide:
        assert "no change" in hall.type(here(guide.next()), exits=(0, 2))
        publish, deploy = here(guide.next()).splitlines()
        uri = hall.type(publish).strip().splitlines()[-1]
        assert "/lite0/1.1.0-" in uri
        assert "Success" in hall.type(f"{deploy.rpartition(' ')[0]} {uri}")
        back = hall.type(f"{here(guide.next()).strip()} --yes")
        assert "model" in back
        # 3: no core of it runs on this machine, which is what it says.
        hall.type(here(guide.next()), exits=(0, 3))
        assert "not deployed" in hall.type("fanfold diff hall", exits=(0, 2))
