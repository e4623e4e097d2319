"""What `fanfold bench` runs, and what it says about what it cannot run."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
import simplejpeg

from bench import controls
from bench.methods import benchmark_app
from bench.packages import noop_package
from bench.suite import SCENARIOS, Suite
from fanfold.common.errors import UserError
from fanfold.main import main
from fanfold.verbs.bench import numbers_of


def suite(folder, **more):
    defaults = {
        "model": None, "compiled": None, "count": 1, "rounds": 2,
        "methods": ("fanfold", *controls.CONTROLS),
    }  # fmt: skip
    return Suite(folder, [], **{**defaults, **more})


class Recording(Suite):
    """Measures nothing: notes what it was asked."""

    def _own(self, scenario):
        return {"fanfold": lambda workers: {"asked": ("fanfold", workers)}}

    def _control(self, scenario, name):
        return lambda workers: {"asked": (name, workers)}


def test_every_round_runs_every_method_at_every_number_of_workers_once(tmp_path):
    chosen = Recording(tmp_path, [], None, None, 1, 2, ("fanfold", "article_pool"))

    rows = list(chosen.run("simulated", [1, 4]))

    once = [("fanfold", 1), ("article_pool", 1), ("fanfold", 4), ("article_pool", 4)]
    assert [row["asked"] for row in rows] == once * 2
    assert [row["round"] for row in rows] == [0] * 4 + [1] * 4


def test_a_method_runs_only_in_scenarios_that_it_knows(tmp_path):
    chosen = Recording(tmp_path, [], None, None, 1, 1, ("fanfold", *controls.CONTROLS))

    ran = {name: {row["method"] for row in chosen.run(name, [1])} for name in SCENARIOS}

    assert ran["slow-worker"] == {"fanfold", "round_robin"}
    assert ran["noop"] == {"fanfold", "ray", "litserve", "mms", "pytriton"}
    assert ran["latency"] == {"fanfold"}


def test_a_peer_that_does_not_run_costs_no_other_measurement(tmp_path, monkeypatch, capsys):
    class Failing(Recording):
        def _control(self, scenario, name):
            def measure(workers):
                raise UserError("it has no Java")

            return measure

    chosen = Failing(tmp_path, [], None, None, 1, 2, ("fanfold", "mms"))

    assert [row["method"] for row in chosen.run("noop", [1, 2])] == ["fanfold"] * 4
    assert capsys.readouterr().err.count("mms is left out: it has no Java") == 1


def test_the_controls_get_the_gpus_that_the_workers_get(tmp_path, monkeypatch):
    asked = {}

    def run_control(name, model, workers, count, images, *more):
        asked[name] = more
        return {}

    monkeypatch.setattr("bench.suite.run_control", run_control)
    chosen = suite(tmp_path, model=tmp_path, rounds=1, methods=("article_pool", "ray"), gpus=2)

    list(chosen.run("real", [1]))

    assert asked == {"article_pool": ("--gpus", "0,1"), "ray": ()}


def test_the_same_compiled_package_runs_in_every_control_that_can_take_it(tmp_path, monkeypatch):
    asked = {}

    def run_control(name, model, workers, count, images, *more):
        asked.setdefault((name, "--package" in more), []).append((model.name, workers, count))
        return {}

    monkeypatch.setattr("bench.suite.run_control", run_control)
    names = ("raw_loop", "litserve", "mms", "benchmark_app")
    model, compiled = tmp_path / "fp32", tmp_path / "int8"
    chosen = suite(tmp_path, model=model, compiled=compiled, count=3, rounds=1, methods=names)

    labels = [row["method"] for row in chosen.run("real", [1, 2])]

    assert labels == [
        "raw_loop", "raw_loop compiled", "raw_loop", "litserve", "mms", "raw_loop compiled",
        "litserve compiled", "benchmark_app compiled",
    ]  # fmt: skip
    assert asked["raw_loop", True] == [("int8", 1, 12), ("int8", 2, 12)]
    assert asked["litserve", True] == asked["benchmark_app", True] == [("int8", 2, 12)]
    assert asked["litserve", False] == [("fp32", 2, 3)]


def test_what_benchmark_app_prints_is_read(tmp_path):
    said = "[ INFO ] Count:  96 iterations\n[ INFO ] Duration:  4000.50 ms\n"
    assert benchmark_app.told(said + "[ INFO ] Throughput:  24.00 FPS\n") == (96, 4.0005)
    with pytest.raises(ValueError, match="no throughput"):
        benchmark_app.told(said)


@pytest.mark.slow
def test_a_control_runs_a_package_in_its_own_runtime_with_our_transform(tmp_path):
    archive = noop_package(tmp_path)
    package = tmp_path / "unpacked"
    shutil.unpack_archive(archive, package)
    pixels = numpy.zeros((48, 64, 3), numpy.uint8)
    (tmp_path / "a.jpg").write_bytes(simplejpeg.encode_jpeg(pixels))

    row = controls.run_control("raw_loop", package, 2, 6, [tmp_path / "a.jpg"], "--package")

    assert (row["images"], row["workers"]) == (6, 2)
    assert row["images_per_s"] > 0


def test_scenario_real_asks_for_its_model(tmp_path):
    with pytest.raises(UserError, match="--model"):
        list(suite(tmp_path).run("real", [1]))


def test_a_peer_that_is_not_installed_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(controls, "PEERS_PYTHON", tmp_path / ".venv-peers/bin/python")

    with pytest.raises(UserError, match=r"ray needs .*requirements-peers\.txt"):
        controls.run_control("ray", None, 1, 1, [])


def test_a_control_that_fails_shows_its_last_words(tmp_path):
    with pytest.raises(UserError, match=r"round_robin ended with(?s:.*)'soon'"):
        controls.run_control("round_robin", None, 1, 1, [Path("any.jpg")], "--wait-ms", "soon")


@pytest.mark.parametrize(
    ("text", "numbers"), [("2", [2]), ("1,2,4", [1, 2, 4]), ("1..4", [1, 2, 3, 4])]
)
def test_numbers_of_workers_are_a_list_or_a_range(text, numbers):
    assert numbers_of(text) == numbers


@pytest.mark.parametrize("text", ["0", "two", "4..1", "", "1..x"])
def test_other_numbers_of_workers_are_refused(text):
    with pytest.raises(UserError, match="--workers"):
        numbers_of(text)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_quick_run_measures_the_whole_path_and_the_control_beside_it(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    noise = numpy.random.default_rng(1).integers(0, 255, (480, 640, 3), numpy.uint8)
    (photos / "noise.jpg").write_bytes(simplejpeg.encode_jpeg(noise))
    out = tmp_path / "out"

    code = main(
        [
            "bench",
            "--images",
            str(photos),
            "--scenario",
            "slow-worker",
            "--quick",
            "--out",
            str(out),
        ]
    )

    assert code == 0
    rows = json.loads((out / "slow-worker.json").read_text())
    assert [row["method"] for row in rows] == ["fanfold", "round_robin"]
    assert sum(rows[0]["worker_images"].values()) == rows[0]["images"]
    assert "unproven (1 rounds" in (out / "REPORT.md").read_text()
