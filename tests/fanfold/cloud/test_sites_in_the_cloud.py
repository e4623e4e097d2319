"""`fanfold sites` over sites of the development cloud: its log groups, rules and deployments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cloud_fleet import Devices, Line, fleet_folder
from waiting import eventually

import devcloud
from fanfold.main import main
from fanfold.reference.fleet_answer import SitesAnswer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(cloud: devcloud.DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet_folder(cloud, tmp_path_factory.mktemp("plants"))


@pytest.fixture(scope="module")
def lines(cloud: devcloud.DevCloud, folder: Path) -> dict[str, Line]:
    """One that runs, one whose device is switched off, one that was never deployed."""
    found = {name: Line(cloud, folder, name) for name in ("hall-1", "hall-2", "hall-3")}
    (folder / "device_profiles").symlink_to(found["hall-1"].folder / "device_profiles")
    for name in ("hall-1", "hall-2"):
        found[name].deploy()
    (folder / "sites" / "hall-4.yaml").write_text("name: hall-4\nprofile: [\n")
    Devices([found["hall-1"]]).report(found["hall-1"])
    return found


@pytest.fixture
def sites(folder: Path, lines: dict[str, Line], monkeypatch, capfd) -> Run:
    """Runs the verb as a shell would, over hall-*."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FANFOLD_STATE", str(folder / "state"))
    for name, value in lines["hall-1"].cloud.env().items():
        monkeypatch.setenv(name, value)

    def run(*options: str) -> tuple[int, str, str]:
        code = main(["sites", "hall-*", *options])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def told(sites: Run) -> dict[str, Any]:
    _, out, _ = sites("--json")
    SitesAnswer.model_validate_json(out)
    return {site["site"]: site for site in json.loads(out)["sites"]}


def test_each_site_has_its_verdict_by_what_reached_the_cloud(sites: Run) -> None:
    found = eventually(
        lambda: (said := told(sites))["hall-1"]["cores"] and said, "a report in the log group"
    )

    assert {name: site["verdict"] for name, site in found.items()} == {
        "hall-1": "ok", "hall-2": "silent", "hall-3": "not deployed", "hall-4": "unknown",
    }  # fmt: skip
    assert found["hall-1"]["images"] == 100
    assert found["hall-1"]["version"] == "0.1.0"
    assert "hall-4.yaml" in found["hall-4"]["problem"]


def test_the_list_names_the_silent_and_ends_with_1(sites: Run) -> None:
    code, out, err = sites()

    assert code == 1
    assert "hall-2 hall-2-core: silent no health report" in out
    assert "4 sites: " in err


def test_what_the_file_would_change_is_drift(sites: Run, lines: dict[str, Line]) -> None:
    before = told(sites)["hall-1"]["drift"]
    lines["hall-1"].write(workers=3)
    after = told(sites)["hall-1"]["drift"]
    lines["hall-1"].write()

    assert not any("workers" in change for change in before)
    assert "workers 2 → 3" in after


def test_the_page_is_written_and_a_folder_is_refused(sites: Run, tmp_path: Path) -> None:
    code, out, _ = sites("--page", str(tmp_path / "fleet.html"))
    refused, _, err = sites("--page", str(tmp_path))

    assert (code, out) == (1, "")
    assert '"site": "hall-2"' in (tmp_path / "fleet.html").read_text()
    assert refused == 2
    assert "Is a directory" in err
