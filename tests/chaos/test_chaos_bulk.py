"""Much at once, files without events, jobs, another group on the way: the same promise."""

from __future__ import annotations

import pytest
from chaos_plant import SOAK, Plant, Report
from chaos_shared import Shared

from contract.limits import WORK_ITEMS

IMAGES = 150
#: More than the core's queue holds.
BURST = 1_200
LONG_BURST = 3_000
of_many = pytest.mark.parametrize("count", [BURST, pytest.param(LONG_BURST, marks=SOAK)])


@of_many
def test_a_manifest_of_many_images_ends_complete(
    shared: Shared, report: Report, count: int
) -> None:
    plant = shared()
    plant.send_manifest(f"burst-{count}", count)
    report(f"one manifest of {count} images", plant)


@of_many
def test_a_burst_of_more_events_than_the_core_queues_ends_complete(
    shared: Shared, report: Report, count: int
) -> None:
    assert count > WORK_ITEMS.value
    plant = shared()
    plant.send(count, window=count)
    report(f"{count} events sent at once", plant)


def test_files_of_which_no_event_arrives_are_picked_up_from_the_drop_folder(
    plant: Plant, report: Report
) -> None:
    plant.start({"messages": [{"topic": "chaos/images/#", "drop": 1.0}]})
    plant.drop(IMAGES)
    report("drop folder, every event lost", plant, more=plant.drop)


def test_a_group_with_more_workers_loses_nothing_that_was_under_way(
    shared: Shared, report: Report
) -> None:
    plant = shared()

    def redeploy() -> None:
        plant.stop()
        plant.deploy(workers=3)
        plant.start()

    assert len([name for name in plant.core.functions() if name.startswith("w")]) == 2
    plant.send(IMAGES, halfway=redeploy)
    assert len([name for name in plant.core.functions() if name.startswith("w")]) == 3
    report("core stopped, started with another group", plant)


def test_a_job_of_many_images_ends_in_one_summary_also_when_everything_is_killed(
    plant: Plant, report: Report
) -> None:
    """Two jobs, one of which spans the kills of workers, both parts and the core."""
    kills = [
        {"function": "w*", "kill_at_s": [2, 5]},
        {"function": "splitter", "kill_at_s": [3]},
        {"function": "aggregator", "kill_at_s": [4]},
    ]
    plant.start({"seed": 8, "functions": kills})
    plant.send(100, job="before")
    plant.flow(lambda: plant.strikes() >= 4, job="before")
    before = len(plant.sent)
    plant.send(IMAGES, job="during", halfway=plant.kill_core)
    plant.send(2, job="before", last=True)
    plant.send(2, job="during", last=True)
    report("jobs across kills of every part", plant)
    plant.core.until(lambda _: len(plant.summaries()) >= 2)
    found = {s["job"]: s["images"] for s in plant.summaries()}
    assert found == {"before": before + 2, "during": IMAGES + 2}
    assert len({(s["job"], s["started"], s["ended"]) for s in plant.summaries()}) == 2
