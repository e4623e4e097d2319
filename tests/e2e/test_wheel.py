"""The wheel alone, in an empty folder: nothing of a checkout is there to be found by chance."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import PHOTOS
from waiting import eventually
from wheelhouse import build_wheel, install

SITE = """
name: hall
profile: this-machine
account: "123456789012"
region: us-east-1
core: {{thing: hall-core}}
model:
  s3_uri: s3://hall-models/m.tar.gz
  footprint: {{memory_kb: 330000, ms: {{transform: 8.0, inference: 16.0}}}}
cameras: [{{name: left}}]
volumes: {{images: {folder}/volumes/images, state: {folder}/volumes/state}}
workers: 1
"""
MODEL = {
    "v": 1, "name": "boxes", "version": "1.0.0", "runtime": "simulated", "task": "classification",
    "input": {"shape": [1, 3, 32, 32]}, "simulated": {"wait_ms": 1},
}  # fmt: skip
ANY_PORT = ["--mqtt-plain-port=0", "--ipc-port=0", "--http-port=0"]
Fanfold = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = [pytest.mark.story, pytest.mark.e2e]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return install(build_wheel(folder), folder / "environment")


@pytest.fixture
def fanfold(python: Path, tmp_path: Path) -> Iterator[Fanfold]:
    """The command line of the wheel, in a folder that holds a site's file and nothing else."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "hall.yaml").write_text(SITE.format(folder=tmp_path))
    gone = ("PYTHONPATH", "FANFOLD_STATE", "AWS_ENDPOINT_URL")
    environment = {k: v for k, v in os.environ.items() if k not in gone} | {"NO_COLOR": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-m", "fanfold", *arguments], cwd=folder, env=environment,
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip

    run.folder = folder  # type: ignore[attr-defined]
    yield run
    if (folder / ".fanfold").exists():
        run("stop", "hall")


def test_a_site_is_planned_with_the_profiles_that_the_wheel_brings(fanfold: Fanfold) -> None:
    said = fanfold("plan", "hall", "--json")

    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)


@pytest.mark.parametrize(
    ("command", "extra"),
    [(("deploy", "hall"), "fanfold[deploy]"), (("devcloud", "start"), "fanfold[devcloud]")],
)
def test_a_verb_whose_extra_is_not_installed_says_the_command_that_adds_it(
    fanfold: Fanfold, command: tuple[str, ...], extra: str
) -> None:
    said = fanfold(*command)

    assert said.returncode == 3
    assert f"pip install '{extra}'" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_core_of_the_wheel_answers_for_every_image(fanfold: Fanfold) -> None:
    folder: Path = fanfold.folder  # type: ignore[attr-defined]
    (folder / "model.json").write_text(json.dumps(MODEL))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as package:
        package.add(folder / "model.json", "model.json")
    shutil.copytree(PHOTOS, folder / "photos")

    started = fanfold("run", "hall", "--model", "model.tar.gz", "--detach", *ANY_PORT)
    assert started.returncode == 0, started.stderr
    sent = fanfold("send", "photos", "--site", "hall", "--camera", "left")

    assert sent.returncode == 0, sent.stderr
    images = len(list(PHOTOS.glob("*.jpg")))
    eventually(lambda: f" {images} emitted" in fanfold("status", "hall").stdout, "all records")
