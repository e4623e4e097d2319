"""`fanfold tune` searches a device's own settings, explains itself and writes the site."""

import json
import shutil

import psutil
import pytest

from bench.group import Machine
from bench.methods import fanfold_path
from bench.packages import noop_package
from fanfold.common.errors import INVALID
from fanfold.common.project import PROJECT
from fanfold.main import main
from fanfold.tune.space import NAMES, space_of
from fanfold.tune.trial import Trials
from fanfold.tune.write import write_values
from infra.planning import Footprint, InvalidInput, load_profile, load_site

PROFILES = PROJECT / "device_profiles"
PROFILE = """\
name: bench-box
architecture: x86_64
cpu_cores: 2
memory_mb: 8192
reserved: {cores: 0}
"""
SITE = """\
# What the line is called on the floor.
name: hall
profile: bench-box
account: "123456789012"
region: us-east-1
core: {thing: hall-core}
model:
  # The package of last spring.
  s3_uri: s3://models/lite0.tar.gz
cameras:
  - name: cam1  # above the belt
volumes:
  images: /tmp/hall/images
  state: /tmp/hall/state
workers: 1
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """A folder with one site, its profile, a picture's name and a package that does nothing."""
    for folder, name, text in (
        ("sites", "hall.yaml", SITE), ("device_profiles", "bench-box.yaml", PROFILE),
    ):  # fmt: skip
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"\xff\xd8 never decoded by this model")
    noop_package(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    return tmp_path


@pytest.fixture
def device(monkeypatch):
    """A stand-in for the device: two workers and batches of four are best, windows cost time."""
    asked = []

    def measure(_work, setting, _package, _images, *, count, in_flight, machine):
        asked.append(setting)
        rate = 10.0 * min(setting.workers * setting.threads, 2) + min(setting.batch, 4)
        rate -= setting.threads + 0.1 * setting.window
        latency = 1000 * in_flight / rate
        return {
            "steady_images_per_s": None,
            "images_per_s": rate,
            "predicted_images_per_s": 20.0,
            "stages_ms": {"end_to_end": {"p99": latency}},
        }

    monkeypatch.setattr(fanfold_path, "measure", measure)
    return asked


def tune(*more):
    return main(["tune", "hall", "--images", "photos", "--model", "noop.tar.gz", *more])


def test_the_fastest_setting_is_written_and_the_rest_of_the_file_stays(plant, device, capsys):
    assert tune() == 0

    text = (plant / "sites" / "hall.yaml").read_text()
    site, _ = load_site(plant / "sites" / "hall.yaml", plant / "device_profiles")
    assert (site.workers, site.threads, site.batch, site.window) == (2, 1, 4, 1)
    assert "# What the line is called on the floor." in text
    assert "  - name: cam1  # above the belt" in text
    said = capsys.readouterr().out
    assert "best: workers 2, threads 1, batch 4, window 1" in said
    assert "the planner expected 20.0/s" in said
    assert "with another workers: 1:" in said


def test_a_latency_target_is_kept_and_the_answer_can_be_read_by_a_program(plant, device, capsys):
    assert tune("--latency-ms", "100", "--json", "--dry-run") == 0

    answer = json.loads(capsys.readouterr().out)
    assert answer["best"]["p99_ms"] <= 100
    assert answer["written"] is False
    assert (plant / "sites" / "hall.yaml").read_text() == SITE
    assert len(answer["tried"]) < answer["settings"]


def test_a_target_that_no_setting_keeps_changes_nothing_and_names_the_lowest(plant, device, capsys):
    assert tune("--latency-ms", "1") == 1

    assert "no setting keeps p99 ≤ 1 ms; the lowest of" in capsys.readouterr().err
    assert (plant / "sites" / "hall.yaml").read_text() == SITE


def test_another_machines_profile_is_not_measured_here(plant, device, capsys):
    file = plant / "device_profiles" / "bench-box.yaml"
    file.write_text(PROFILE.replace("cpu_cores: 2", "cpu_cores: 64"))

    assert tune() == 3
    assert "on the device itself" in capsys.readouterr().err
    assert device == []


def test_a_value_that_the_planner_would_refuse_leaves_the_file_alone(plant):
    with pytest.raises(InvalidInput):
        write_values(plant / "sites/hall.yaml", {"batch": 99}, plant / "device_profiles")

    assert (plant / "sites" / "hall.yaml").read_text() == SITE
    assert [path.name for path in (plant / "sites").iterdir()] == ["hall.yaml"]


def test_a_gpu_gets_only_as_many_copies_as_its_memory_holds():
    site, _ = load_site(PROJECT / "sites" / "demo.yaml", PROFILES)
    profile = load_profile(PROFILES / "p3.8xlarge.yaml")
    footprint = Footprint(memory_kb=1000, gpu_memory_mb=6000)

    axes = dict(zip(NAMES, space_of(site, profile, footprint, 1).axes, strict=True))

    assert axes["workers"] == (4, 8)
    assert axes["threads"] == (1,)


@pytest.mark.e2e
def test_a_trial_measures_the_real_core_and_a_refused_setting_costs_no_start(plant):
    site, profile = load_site(plant / "sites" / "hall.yaml", plant / "device_profiles")
    space = space_of(site, profile, None, 1)
    machine = Machine(profile.model_dump(mode="json", exclude={"name", "containers"}))
    told = []
    trials = Trials(
        plant / "work", space, [plant / "noop.tar.gz"], [plant / "photos" / "one.jpg"], machine,
        "pinned", 0.5, lambda *said: told.append(said),
    )  # fmt: skip
    try:
        rate, latency = trials((2, 1, 0, 8, 2, 0))
        refused = trials((2, 2, 0, 8, 2, 0))
    finally:
        shutil.rmtree(plant / "work", ignore_errors=True)

    assert rate > 0
    assert 0 < latency < float("inf")
    assert refused == (0.0, float("inf"))
    assert "FF113" in trials.refusals[2, 2, 0, 8, 2, 0]
    assert len(told) == 1


def test_no_images_is_said_before_anything_runs(plant, device, capsys):
    (plant / "photos" / "one.jpg").unlink()

    assert tune() == INVALID
    assert "photos: contains no image" in capsys.readouterr().err
    assert device == []
