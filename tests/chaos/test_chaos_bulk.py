"""Much at once, files without events, another group on the way: the same promise."""

from __future__ import annotations

from chaos_plant import Plant, Report

IMAGES = 300
BURST = 3_000


def test_a_manifest_of_3000_images_ends_complete(plant: Plant, report: Report) -> None:
    plant.start()
    plant.send_manifest(BURST)
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
    assert len([name for name in plant.functions() if name.startswith("w")]) == 2
    plant.send(IMAGES, halfway=redeploy)
    assert len([name for name in plant.functions() if name.startswith("w")]) == 3
    report("another group: 2 workers, then 3", plant)
