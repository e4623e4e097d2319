"""The core's answer to a model offer reaches the Model component on any disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_disks import fill, small_disk_at

from device.component.offer_component import verdict, write
from edgecore.components.offers import Places
from edgecore.components.verdicts import PROVED, REFUSED, write_verdict

OFFER = {"v": 1, "path": "/models/m.tar.gz", "nonce": "1-2"}


def content(given: str, nonce: str = "1-2") -> dict[str, object]:
    return {"v": 1, "nonce": nonce, "deployment": "d", "verdict": given, "reason": "for a reason"}


def asked(places: Places) -> int:
    return verdict(places.verdict.parent, OFFER, wait_s=0.0, stand_back_s=0.0)


@pytest.mark.parametrize(("given", "code"), [(PROVED, 0), (REFUSED, 1)])
def test_a_verdict_without_room_for_its_words_is_a_name_until_there_is(
    tmp_path: Path, given: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk_at(tmp_path / "disk", 1) as disk:
        places = Places(disk)
        places.model.parent.mkdir()
        write(places.model, OFFER)
        write_verdict(places, content(REFUSED, "an earlier one"))
        assert asked(places) == 2, "none yet"
        fill(disk)

        owed = write_verdict(places, content(given))
        assert owed == write_verdict(places, owed) == content(given)
        assert asked(places) == code
        assert f"{given}: " in capsys.readouterr().out

        (disk / "other").unlink()
        assert write_verdict(places, owed) == {}
        assert json.loads(places.verdict.read_text()) == content(given)
        assert asked(places) == code
        assert "for a reason" in capsys.readouterr().out
        assert {p.name for p in disk.joinpath("offers").iterdir()} == {"model.json", "verdict.json"}


def test_a_verdict_is_that_offers_alone(tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "disk", 1) as disk:
        places = Places(disk)
        places.model.parent.mkdir()
        fill(disk)
        write_verdict(places, content(PROVED, "another one"))
        assert asked(places) == 2
