"""`fanfold tune` searches a device's own settings, explains itself and writes the site."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
from waiting import eventually

from bench.group import Machine
from bench.methods import fanfold_path
from bench.packages import noop_package
from fanfold.common.errors import INVALID
from fanfold.common.project import PROJECT
from fanfold.main import main
from fanfold.tune.forecast import forecast
from fanfold.tune.memory import Memory
from fanfold.tune.space import NAMES, space_of
from fanfold.tune.trial import Trials
from fanfold.tune.write import write_values
from infra.planning import Footprint, InvalidInput, load_profile, load_site

#: The verb on a machine with as many cores as the profile says.
#: A test run in the background of a shell has SIGINT ignored, and so would what it starts.
START = """
import signal, sys, psutil
signal.signal(signal.SIGINT, signal.default_int_handler)
psutil.cpu_count = lambda: 2
from fanfold.main import main
sys.exit(main(sys.argv[1:]))
"""
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


def test_how_long_it_takes_is_said_first_and_what_is_left_with_every_run(plant, device, capsys):
    assert tune("--dry-run", "--seconds", "7") == 0

    first, *runs = capsys.readouterr().err.splitlines()
    said = re.fullmatch(r"about (.+): some (\d+) of \d+ settings, 12 s each, the fastest .*", first)
    assert said, first
    lines = [run for run in runs if run.startswith("[")]
    assert lines[0].startswith("[1 of about ")
    assert len(lines) == len(device)
    assert 0.5 <= len(device) / (int(said[2]) + 6) <= 2


@pytest.mark.parametrize(("cores", "packages"), [(2, 1), (8, 2), (64, 1)])
def test_the_forecast_is_of_a_part_of_the_grid(cores, packages):
    site, _ = load_site(PROJECT / "sites" / "demo.yaml", PROFILES)
    profile = load_profile(PROFILES / "cpu-gateway-4core.yaml")
    profile = profile.model_copy(update={"cpu_cores": cores + profile.reserved.cores})
    space = space_of(site, profile, None, packages)

    made = forecast(space, profile, None, 5.0)

    assert 1 < made.settings <= space.size
    assert made.seconds == (made.settings + made.again) * 10.0


def test_a_setting_above_the_memory_limit_is_never_started(plant, device, capsys, monkeypatch):
    few = SimpleNamespace(available=700 << 20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: few)
    footprint = Footprint(memory_kb=400_000)
    monkeypatch.setattr("fanfold.tune.prepare._footprint", lambda *_: footprint)

    assert tune("--dry-run", "--json") == 0

    tried = json.loads(capsys.readouterr().out)["tried"]
    assert {setting.workers for setting in device} == {1}
    refused = [each for each in tried if each["workers"] == 2]
    assert refused
    assert all("2 × 391 MB = 781 MB, above the 630 MB" in each["refused"] for each in refused)


def test_what_a_run_took_is_learned_and_more_workers_are_not_tried():
    memory = Memory.of(usable_kb=4_000_000, available_kb=1_000_000, footprint_kb=0)

    assert memory.refuses(8) == ""
    assert memory.measured(1, {"workers_pss_kb": 400_000, "total_pss_kb": 500_000}) == ""
    assert "3 × 391 MB" in memory.refuses(3)
    assert "took" in memory.measured(2, {"workers_pss_kb": 800_000, "total_pss_kb": 950_000})


@pytest.mark.e2e
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_process_no_folder_and_the_file_as_it_was(plant, signal_number):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "FANFOLD_STATE": str(plant / "state")}
    site = plant / "sites" / "hall.yaml"
    command = [sys.executable, "-c", START, "tune", "hall", "--images", "photos", "--model",
               "noop.tar.gz", "--seconds", "60"]  # fmt: skip
    process = subprocess.Popen(command, cwd=plant, env=environment, stderr=subprocess.PIPE)
    work = plant / "state" / "tune" / "hall"
    eventually((work / "run/core/core.json").exists, "the first core")
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal_number)
    _, said = process.communicate(timeout=120)

    assert process.returncode == 130, said
    assert started
    eventually(lambda: not any(map(_runs, started)), "the end of what it started")
    assert not work.exists()
    assert site.read_text() == SITE


def _runs(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
