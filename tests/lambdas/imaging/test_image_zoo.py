"""Every kind of image ends in one record: a result where it can be decoded, else a reason."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from image_zoo import BAD, GOOD, GREY, PICTURE, png
from inference_kit import Bus, simulated, start, work

from contract.messages import FAILED_REASONS
from lambdas.imaging.decode import Decoder
from lambdas.imaging.header import ImageError, read_header

REFUSED_BYTES = 64 << 20


def decoded(data: bytes):
    header = read_header(data)
    return Decoder("bgr").decode(data, header, 0, 0)


@pytest.mark.parametrize("kind", GOOD)
def test_a_decodable_kind_shows_its_picture(kind):
    data, tolerance = GOOD[kind]
    wanted = GREY[:, :, np.newaxis] if "grey" in kind or "palette" in kind else PICTURE
    found = decoded(data)
    assert found.shape == PICTURE.shape
    assert np.abs(found.astype(int) - wanted).mean() <= tolerance


@pytest.mark.parametrize("kind", BAD)
def test_any_other_kind_is_refused_with_its_reason(kind):
    data, reason = BAD[kind]
    with pytest.raises(ImageError) as caught:
        decoded(data)
    assert caught.value.reason == reason
    assert caught.value.detail


def test_a_worker_answers_the_whole_zoo_with_one_record_each_in_order(tmp_path):
    zoo = {**GOOD, **BAD}
    folder = tmp_path / "images" / "cam1"
    folder.mkdir(parents=True)
    for number, (data, _) in enumerate(zoo.values()):
        (folder / f"{number}.img").write_bytes(data)
    bus = Bus()
    worker = start(tmp_path, simulated(tmp_path / "model", wait_ms=0), bus)
    worker.handle(work("b-1", *(f"cam1/{number}.img" for number in range(len(zoo)))))
    bus.wait(lambda: len(bus.results()) == len(zoo))
    worker.stop()
    results = bus.results()
    assert [r["seq"] for r in results] == list(range(1, len(zoo) + 1))
    found = {kind: r.get("reason") for kind, r in zip(zoo, results)}
    assert found == {kind: BAD[kind][1] if kind in BAD else None for kind in zoo}


def test_what_is_refused_costs_next_to_no_memory():
    _peak_mib(reset=True)
    before = _peak_mib()
    for data, _ in BAD.values():
        with pytest.raises(ImageError):
            decoded(data)
    assert (_peak_mib() - before) << 20 < REFUSED_BYTES


def _peak_mib(reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM begins anew
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def test_forty_megapixels_are_taken_and_one_column_more_is_not():
    def black(width: int) -> bytes:
        return png(width, 5000, 1, 0, bytes((1 + (width + 7) // 8) * 5000))

    assert decoded(black(8000)).shape == (5000, 8000, 3)
    with pytest.raises(ImageError, match="8001×5000 pixels, limit 40000000"):
        decoded(black(8001))


@pytest.mark.parametrize("count", [400, pytest.param(40_000, marks=pytest.mark.soak)])
def test_a_damaged_image_is_decoded_or_refused_and_nothing_else(count):
    chance = random.Random(20261125)
    kinds = [data for data, _ in GOOD.values() if len(data) < 20_000]
    reasons = []
    for _ in range(count):
        raw = bytearray(chance.choice(kinds))
        for _ in range(chance.randint(1, 6)):
            if not raw:
                break
            at = chance.randrange(len(raw))
            if chance.random() < 0.2:
                del raw[at : at + chance.randint(1, 50)]
            else:
                raw[at % len(raw)] = chance.randrange(256)
        try:
            height, width, channels = decoded(bytes(raw)).shape
        except ImageError as error:
            reasons.append(error.reason)
        else:
            assert height > 0 < width
            assert channels == 3
    assert set(reasons) <= FAILED_REASONS
    assert len(reasons) > count // 4
