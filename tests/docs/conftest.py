"""The tutorial's site for those who type guides: model, photographs, a network of its own.

The tutorial itself has EfficientNet on MXNet; the other guides have two packages of the same names
whose network computes for an instant.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guide_blocks import blocks
from guide_shell import PROJECT, Network, Shell, make_checkout

CACHE = PROJECT / "build" / "guides"
#: What `make` has fetched for the tests of real networks.
WHEELS = PROJECT / "build" / "wheels"
NEEDED = ("unshare", "nsenter", "ip", "mosquitto_pub", "curl")


@pytest.fixture(scope="session")
def built() -> Path:
    """The tutorial's own lines for a model and photographs, run once and kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of this run want them too
        if not (CACHE / "models" / "lite0-1.1.0.tar.gz").is_file():
            _build()
    return CACHE


def _build() -> None:
    for line in blocks("tutorial.md")[1].splitlines():
        if line.startswith(".venv-device"):
            typed = line.replace("build/", f"{CACHE.relative_to(PROJECT)}/")
            typed = typed.replace(f"{(CACHE / 'wheels').relative_to(PROJECT)}", str(WHEELS))
            subprocess.run(["bash", "-c", typed], cwd=PROJECT, check=True, timeout=300)


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    command = [PROJECT / ".venv-device/bin/python", PROJECT / "tests/kit/small_lite0.py", folder]
    subprocess.run(command, check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def make_hall(
    built: Path, small_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Shell]]:
    """The tutorial's site, a model, photographs, and a terminal in its folder.

    One worker unless a guide is about several; `real`: with the tutorial's own model.
    """
    if os.geteuid() != 0 or not all(map(shutil.which, NEEDED)):
        pytest.skip(f"needs root and {', '.join(NEEDED)}")
    shells: list[Shell] = []
    networks: list[Network] = []

    def make(workers: int = 1, *, real: bool = False) -> Shell:
        networks.append(network := Network())
        if not network.works:
            pytest.skip("no network namespace can be made here")
        content = {"images": built / "images", "models": built / "models" if real else small_models}
        shells.append(shell := _hall(tmp_path_factory.mktemp("plant"), content, network, workers))
        return shell

    yield make
    for each in (*shells, *networks):
        each.close()


def _hall(place: Path, content: dict[str, Path], network: Network, workers: int) -> Shell:
    folder = make_checkout(place / "checkout")
    (folder / "build").mkdir()
    for name, source in content.items():
        shutil.copytree(source, folder / "build" / name)
    (folder / "photos").symlink_to("build/images")
    shutil.copy(next((folder / "build/images").rglob("*.jpg")), folder / "image.jpg")
    volumes = str(place / "hall")
    site = blocks("tutorial.md", "yaml")[0].replace("/tmp/hall", volumes)
    assert "workers: 2" in site
    site = site.replace("workers: 2", f"workers: {workers}")
    (folder / "sites" / "hall.yaml").write_text(site, "utf-8")
    return Shell(folder, network, {"/srv/hall": volumes})
