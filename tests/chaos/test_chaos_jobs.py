"""Jobs that are wrong, taken back, cut off or in doubt while images flow: the old group serves
on, the job ends with its reason, and every image has its one record. One core for all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from chaos_flow import Flow, versions
from chaos_jobs import JobsSide, jobs_side
from chaos_plant import Plant, Report
from chaos_shared import Shared, new_plant
from jobs_cloud import FINAL
from waiting import eventually


@pytest.fixture(scope="module")
def by_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Plants that are given their group by a job."""
    with ExitStack() as sides:

        def make() -> Plant:
            folder = tmp_path_factory.mktemp("joined")
            side, arguments = sides.enter_context(jobs_side(folder))
            plant = new_plant(folder)
            plant.use_jobs(side, arguments)
            return plant

        plants = Shared(make)
        yield plants
        plants.stop()


@pytest.fixture
def joined(by_jobs: Shared) -> tuple[Plant, JobsSide]:
    plant = by_jobs()
    side = plant.far_side
    assert isinstance(side, JobsSide)
    eventually(lambda: _last(side).status in FINAL, "the job of the earlier row has ended")
    return plant, side


def test_jobs_that_cannot_be_used_cost_no_image_and_say_why(
    joined: tuple[Plant, JobsSide], report: Report
) -> None:
    plant, side = joined
    spoiled: list[tuple[Callable[[dict[str, Any]], object], str, str]] = [
        (lambda d: d["model"].update(sha256="0" * 64), "FAILED", "model: SHA-256 is"),
        (lambda d: d["model"].update(size=10), "FAILED", "larger than the 10 bytes"),
        (lambda d: d["model"].update(size=1 << 60), "FAILED", "not enough space"),
        (lambda d: d.update(v=99), "REJECTED", "99"),
        (lambda d: d.update(group=None), "REJECTED", "group is missing"),
        (lambda d: d.update(issued_at=1), "REJECTED", "superseded"),
    ]
    good, version, first = (
        plant.core.status()["group"]["deployment"],
        plant.version,
        len(plant.sent),
    )
    with Flow(plant):
        for spoil, status, says in spoiled:
            side.spoil = spoil
            plant.deploy(version="2.0.0")
            assert says in _ended(side, status)["reason"]
            assert plant.core.status()["group"]["deployment"] == good
    report("jobs that cannot be used", plant, runs=len(spoiled))
    plant.version = version
    assert versions(plant, "cam1", first) == versions(plant, "cam2", first) == [version]


def test_a_job_whose_download_and_link_are_cut_is_applied_once_and_one_taken_back_never(
    joined: tuple[Plant, JobsSide], report: Report
) -> None:
    plant, side = joined
    version, first = plant.version, len(plant.sent)
    with Flow(plant):
        side.files.status = lambda name: 503 if name.startswith("model") else 200
        plant.deploy(version="2.0.0")
        eventually(lambda: _last(side).status == "IN_PROGRESS", "the first is under way")
        _last(side).status = "CANCELED"
        side.tell(_last(side).job_id)

        side.files.cut_at[f"model-{len(side.service.executions) + 1}.tar.gz"] = 100
        wanted = plant.deploy(version="3.0.0")
        eventually(lambda: _last(side).status == "IN_PROGRESS", "the second is under way")
        side.cable.cut()
        eventually(lambda: not plant.core.status()["cloud"]["link"]["connected"], "the link is cut")
        side.files.status = lambda _name: 200
        side.cable.mend()
        _ended(side, "SUCCEEDED")
        assert plant.core.status()["group"]["deployment"] == wanted
        seen = len(plant.sent)
        eventually(lambda: len(plant.sent) > seen + 30, "images of the new model")
    report("job canceled, job cut off with its link", plant, runs=2)
    both = [version, "3.0.0"]
    assert versions(plant, "cam1", first) == versions(plant, "cam2", first) == both
    assert [status for status, _ in _last(side).history].count("SUCCEEDED") == 1


def _last(side: JobsSide) -> Any:
    return list(side.service.executions.values())[-1]


def _ended(side: JobsSide, status: str) -> dict[str, str]:
    """The last job's details."""
    one = _last(side)
    eventually(lambda: one.status == status, lambda: f"{status}; it is {one}", deadline_s=90)
    return one.details
