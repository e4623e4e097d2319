"""`fanfold init`: a site of this machine that plans, and nothing of anybody's is overwritten."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PROJECT

from fanfold.reference.fleet_answer import InitAnswer
from infra.planning import load_site


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plant"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("target", ["v1", "iot", "v2"])
def test_the_new_site_is_read_and_its_next_commands_are_the_answer(fanfold, here, target):
    said = fanfold("init", "press-7", "--target", target, "--camera", "top", "--camera", "side")

    site, profile = load_site(here / "sites/press-7.yaml", here / "device_profiles")
    assert said.code == 0
    assert files(here) == ["device_profiles/press-7.yaml", "sites/press-7.yaml"]
    assert site.target == target
    assert [camera.name for camera in site.cameras] == ["top", "side"]
    assert profile.cpu_cores == len(os.sched_getaffinity(0))
    assert len(said.out.splitlines()) == 2
    assert "fanfold plan press-7" in said.out.splitlines()


def test_the_next_command_works(fanfold, here):
    command, _ = fanfold("init", "hall").out.splitlines()

    assert fanfold(*command.split()[1:]).code == 0


def test_a_file_that_is_there_is_never_written_over(fanfold, here):
    fanfold("init", "hall")
    (here / "sites/hall.yaml").unlink()
    before = (here / "device_profiles/hall.yaml").read_bytes()

    said = fanfold("init", "hall")

    assert said.code == 2
    assert "device_profiles/hall.yaml is there already" in said.err
    assert (here / "device_profiles/hall.yaml").read_bytes() == before
    assert not (here / "sites/hall.yaml").exists()


def test_a_profile_that_is_there_serves_a_second_site(fanfold, here):
    fanfold("init", "hall")

    said = fanfold("init", "yard", "--profile", "hall", "--json")

    assert said.code == 0
    assert InitAnswer.model_validate_json(said.out).profile is None
    assert load_site(here / "sites/yard.yaml", here / "device_profiles")[1].name == "hall"


def test_sites_that_used_the_projects_profiles_keep_them(fanfold, here):
    (here / "sites").mkdir()
    (here / "sites/demo.yaml").write_text((PROJECT / "sites/demo.yaml").read_text())

    assert fanfold("init", "hall").code == 0
    assert fanfold("plan", "demo").code == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "no terminal to ask on"),
        (["../hall"], "small letters"),
        (["h" * 42], "at most 41"),
        (["hall\u001b[31m"], "small letters"),
        (["hall", "--target", "v3"], "v1, iot, v2"),
        (["hall", "--account", "12"], "account"),
        (["hall", "--region", "Mars"], "region"),
        (["hall", "--camera", "a/b"], "camera"),
        (["hall", "--camera", "a", "--camera", "a"], "twice"),
        (["hall", "--images", "photos"], "images"),
        (["hall", "--images", "/sys/x"], "/sys"),
        (["hall", "--profile", "nosuch"], "nosuch"),
        (["hall", "--model", "lite0.tar.gz"], "s3"),
        (["hall", "--folder", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(fanfold, here, arguments, word):
    said = fanfold("init", *arguments)

    assert said.code == 2
    assert word in said.err
    assert "Traceback" not in said.err
    assert "\u001b[31m" not in said.err
    assert "fanfold-init-" not in said.err
    assert files(here) == []


def test_on_a_terminal_name_and_folder_are_asked(here):
    master, slave = pty.openpty()
    os.write(master, b"press-9\n/data/press-9/images\n")
    done = subprocess.run(
        [sys.executable, "-m", "fanfold", "init"], cwd=here, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=slave, stdout=subprocess.PIPE, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    os.close(master)

    site, _ = load_site(here / "sites/press-9.yaml", here / "device_profiles")
    assert site.volumes.images == "/data/press-9/images"
    assert done.stdout.decode().split("\n")[0].strip() == "fanfold plan press-9"
