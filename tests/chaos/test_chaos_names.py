"""Cameras use a file name again as soon as its image is accepted: rings, counters that wrap."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chaos_plant import Plant, Report
from chaos_shared import Shared, new_plant

NAMES = 4
ROUNDS = 40


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A slow model, so that many of a name's images wait at once."""
    plants = Shared(lambda: new_plant(tmp_path_factory.mktemp("slow"), wait_ms=20))
    yield plants
    plants.stop()


@pytest.fixture
def plant(slow: Shared) -> Plant:
    return slow()


def test_a_name_used_again_after_accepted_never_gives_an_image_anothers_pixels(
    plant: Plant, report: Report
) -> None:
    for _ in range(ROUNDS):
        plant.send(2 * NAMES, names=NAMES)
    report("file names used again after accepted", plant)


def test_files_deleted_after_accepted_are_processed_all_the_same(
    plant: Plant, report: Report
) -> None:
    for _ in range(10):
        plant.send(20)
        for image_id in plant.accepted:
            (plant.folder / "images" / plant.sent[image_id].file).unlink(missing_ok=True)
    report("files deleted after accepted", plant)
