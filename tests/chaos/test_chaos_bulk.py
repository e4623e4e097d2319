"""Much at once, files without events, jobs, another group on the way: the same promise."""

from __future__ import annotations

from chaos_plant import Plant, Report

IMAGES = 300
BURST = 3_000


def test_a_manifest_of_3000_images_ends_complete(plant: Plant, report: Report) -> None:
    plant.start()
    plant.send_manifest("burst", BURST)
    report("one manifest of 3000 images", plant)


def test_a_burst_of_3000_events_onto_the_core_s_queue_ends_complete(
    plant: Plant, report: Report
) -> None:
    plant.start()
    plant.send(BURST, window=BURST)
    report("3000 events sent at once", plant)


def test_files_of_which_no_event_arrives_are_picked_up_from_the_drop_folder(
    plant: Plant, report: Report
) -> None:
    plant.start({"messages": [{"topic": "chaos/images/#", "drop": 1.0}]})
    plant.drop(IMAGES)
    report("drop folder, every event lost", plant, more=plant.drop)


def test_a_group_with_more_workers_loses_nothing_that_was_under_way(
    plant: Plant, report: Report
) -> None:
    def redeploy() -> None:
        plant.stop()
        plant.deploy(workers=3)
        plant.start()

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
