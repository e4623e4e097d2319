"""`fanfold rollout` over sites of the development cloud; only the CDK is left out.

Groups, aliases, deployments, reports of the cores, topic rules, log groups and roll-backs are
the cloud's own and the real commands'.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cloud_fleet import NEWER, Devices, Line, WithoutCdk, fleet_folder
from cloud_plant import package

import devcloud
from fanfold.main import main
from fanfold.rollout.held import held
from fanfold.rollout.record import Record, key_of

SITES = 6
NEW = f"s3://fleet-models/{NEWER}"


Run = Callable[..., tuple[int, str, str]]


def deployed(cloud: devcloud.DevCloud, folder: Path, names: list[str]) -> list[Line]:
    """Sites with a good model deployed, and a newer one beside."""
    found = [Line(cloud, folder, name) for name in names]
    (folder / "device_profiles").symlink_to(found[0].folder / "device_profiles")
    cloud.client("s3").create_bucket(Bucket="fleet-models")
    newer = package(folder, "newer", version="1.1.0")
    cloud.client("s3").upload_file(str(newer), "fleet-models", newer.name)
    for line in found:
        line.deploy()
    return found


@pytest.fixture(scope="module")
def lines(cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """Six sites; line-6 has no device that follows it."""
    folder = fleet_folder(cloud, tmp_path_factory.mktemp("fleet"))
    return deployed(cloud, folder, [f"line-{n}" for n in range(1, SITES + 1)])


@pytest.fixture
def typed(monkeypatch, capfd) -> Callable[[list[Line], str], Run]:
    """Runs the verb as a shell would, over the sites of a pattern."""

    def of(lines: list[Line], pattern: str) -> Run:
        folder = lines[0].folder.parent
        monkeypatch.chdir(folder)
        monkeypatch.setenv("FANFOLD_STATE", str(folder / "state"))
        monkeypatch.setenv("PYTHONPATH", str(Path(devcloud.__file__).parents[1]))
        for name, value in lines[0].cloud.env().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(WithoutCdk, "lines", {each.name: each for each in lines}, raising=False)
        monkeypatch.setattr("fanfold.verbs.rollout.Verbs", WithoutCdk)

        def run(*options: str) -> tuple[int, str, str]:
            code = main(["rollout", pattern, "--model", NEW, *options])
            said = capfd.readouterr()
            return code, said.out, said.err

        return run

    return of


@pytest.fixture
def rollout(lines: list[Line], typed) -> Iterator[Run]:
    yield typed(lines, "line-*")
    records = lines[0].folder.parent / "state" / "rollouts"
    for record in records.glob("*.jsonl"):
        record.unlink()


pytestmark = pytest.mark.in_order
OPTIONS = ("--yes", "--json", "--watch-s", "4", "--wait-s", "5", "--shares", "50,100")


def models(lines: list[Line]) -> list[str]:
    return [line.runs().removesuffix(".tar.gz") for line in lines]


def test_the_plan_is_printed_and_nothing_is_told(rollout, lines):
    code, out, _ = rollout("--plan", "--shares", "50,100")

    assert code == 0
    assert "to 6 of 6 sites in 3 waves" in out
    assert [line.split()[:2] for line in out.splitlines()[2:]] == [
        ["1", "line-1"], ["2", "line-2"], ["2", "line-3"],
        ["3", "line-4"], ["3", "line-5"], ["3", "line-6"],
    ]  # fmt: skip
    assert models(lines) == ["good"] * SITES


def test_without_a_terminal_and_without_yes_nothing_begins(rollout, lines):
    code, _, err = rollout()

    assert code == 2
    assert "Pass --yes" in err
    assert models(lines) == ["good"] * SITES


def test_a_pattern_that_no_site_matches_is_told_with_the_sites_there_are(typed, lines):
    code, _, err = typed(lines, "lime-*")("--plan")

    assert code == 2
    assert "'lime-*' matches no site" in err
    assert "line-1, line-2" in err


def test_a_rollout_of_another_model_under_way_at_a_site_keeps_this_one_from_beginning(
    rollout, lines
):
    state = lines[0].folder.parent / "state"
    with held(["line-5"], state / "rollouts" / "sites"):
        code, _, err = rollout("--yes")

    assert code == 1
    assert "line-5 is in another rollout" in err
    assert models(lines) == ["good"] * SITES


def test_a_site_that_refuses_the_model_stops_its_wave_which_goes_back(rollout, lines):
    lines[2].refuses = True
    with Devices(lines[:5]):
        code, out, _ = rollout(*OPTIONS)

    said = json.loads(out.splitlines()[-1])
    assert code == 1
    assert "line-3 failed: w0: net.params has SHA-256 9c..." in said["stopped"]
    assert {site: each["stand"] for site, each in said["sites"].items()} == {
        "line-1": "healthy", "line-2": "rolled back", "line-3": "failed",
        "line-4": "pending", "line-5": "pending", "line-6": "pending",
    }  # fmt: skip
    assert models(lines) == ["newer", "good", "good", "good", "good", "good"]


@pytest.mark.soak
def test_an_ill_site_is_found_by_its_health_reports_and_the_resumed_rollout_does_what_is_left(
    rollout, lines
):
    lines[3].ill = True
    with Devices(lines[:5]):
        code, out, _ = rollout(*OPTIONS)
        stopped = json.loads(out.splitlines()[-1])
        again, out, _ = rollout(*OPTIONS, "--resume", "--without", "line-4")

    assert code == 1
    assert "line-4 unhealthy: 40.0 % of" in stopped["stopped"]
    resumed = {site: each["stand"] for site, each in json.loads(out)["sites"].items()}
    assert again == 0, out
    assert {site: resumed[site] for site in ("line-2", "line-3", "line-4", "line-5", "line-6")} == {
        "line-2": "healthy", "line-3": "healthy", "line-4": "left out", "line-5": "healthy",
        "line-6": "away",
    }  # fmt: skip
    assert models(lines) == ["newer", "newer", "newer", "good", "newer", "newer"]


def test_an_interrupted_rollout_goes_on_without_a_site_whose_file_was_removed(rollout, lines):
    records = lines[0].folder.parent / "state" / "rollouts"
    with closing(Record(records / "begun.jsonl")) as record:
        record.begin(NEW, [("line-0", "line-1")], {"line-0": "gone", "line-1": "before"})

    with Devices(lines[:5]):
        code, out, err = rollout(*OPTIONS)

    said = json.loads(out.splitlines()[-1])
    assert code == 0, err
    assert {site: each["stand"] for site, each in said["sites"].items()} == {
        "line-0": "left out", "line-1": "healthy",
    }  # fmt: skip
    assert said["record"].endswith("begun.jsonl")


def test_what_tells_no_site_leaves_the_record_of_a_finished_rollout_to_be_resumed(typed, lines):
    path = lines[0].folder.parent / "state" / "rollouts" / f"{key_of(NEW, ['line-1'])}.jsonl"
    with closing(Record(path)) as record:
        record.begin(NEW, [("line-1",)], {"line-1": "before"})
        for stand in ("deploying", "deployed", "healthy"):
            record.add("site", site="line-1", stand=stand, why="")
    said, run = path.read_bytes(), typed(lines[:1], "line-1")

    for options in (("--plan",), ("--yes",)):
        code, out, err = run(*options)
        assert code == 0, err
        assert "run it already: line-1" in out
        assert path.read_bytes() == said


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_of_twenty_sites_a_bad_one_stops_its_wave_and_one_that_is_off_stops_nothing(
    typed, cloud, tmp_path
):
    folder = fleet_folder(cloud, tmp_path)
    twenty = deployed(cloud, folder, [f"plant-{n:02}" for n in range(1, 21)])
    run = typed(twenty, "plant-*")
    bad, off = "plant-05", "plant-04"
    twenty[4].refuses = True
    options = ("--yes", "--json", "--watch-s", "20", "--wait-s", "30")
    with Devices([line for line in twenty if line.name != off]):
        code, out, _ = run(*options)
        stopped = json.loads(out.splitlines()[-1])
        after = dict(zip([line.name for line in twenty], models(twenty), strict=True))
        again, out, _ = run(*options, "--resume")
    finished = json.loads(out.splitlines()[-1])

    assert [len(wave) for wave in stopped["waves"]] == [1, 1, 4, 14]
    assert {off, bad} <= set(stopped["waves"][2])
    assert code == 1
    assert f"{bad} failed: w0: net.params has SHA-256 9c..." in stopped["stopped"]
    told = [name for name, model in after.items() if model == "newer"]
    assert told == ["plant-01", "plant-02"]
    assert again == 0, out
    assert finished["sites"].pop(off)["stand"] == "away"
    assert {each["stand"] for each in finished["sites"].values()} == {"healthy"}
