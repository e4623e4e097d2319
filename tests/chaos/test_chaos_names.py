"""Cameras use a file name again as soon as its image is accepted: rings, counters that wrap."""

from __future__ import annotations

from collections.abc import Callable

from chaos_plant import Plant, Report

NAMES = 4
ROUNDS = 40


def test_a_name_used_again_after_accepted_never_gives_an_image_anothers_pixels(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    """A slow model, so that many of a name's images wait at once."""
    plant = make_plant(wait_ms=20)
    plant.start()
    for _ in range(ROUNDS):
        plant.send(2 * NAMES, names=NAMES)
    report("file names used again after accepted", plant)


def test_files_deleted_after_accepted_are_processed_all_the_same(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant(wait_ms=20)
    plant.start()
    for _ in range(10):
        plant.send(20)
        for image_id in plant.accepted:
            (plant.folder / "images" / plant.sent[image_id].file).unlink(missing_ok=True)
    report("files deleted after accepted", plant)
