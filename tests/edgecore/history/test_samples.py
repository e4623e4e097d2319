"""Live images that a site's rules want are kept whole, with what the model said, within a quota."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkout import PHOTOS
from histories import SITE, message, record
from waiting import eventually

from contract.volumes import SAMPLES, kept_name
from edgecore.core.observers import Message
from edgecore.history.query import parse
from edgecore.history.reader import Reader
from edgecore.history.recorder import Recorder
from edgecore.history.rows import Found
from edgecore.history.sample_rules import Pace, SampleRule, samples_of
from edgecore.history.schema import file_of, open_for_writing
from edgecore.history.settings import Settings, of_environment

PHOTO = sorted(PHOTOS.glob("*.jpg"))[0].read_bytes()
CRACK = [Found("crack", 0.55, 1)]


class Line:
    """A recorder beside an images volume, as the splitter and the worker use it."""

    def __init__(self, folder: Path, **samples: Any) -> None:
        self.images, self.state = folder / "images", folder / "state"
        self.images.mkdir()
        self.recorder = Recorder(file_of(self.state))
        settings = Settings(time_zone="UTC", samples=samples_of(samples))
        self.recorder.show(SITE, settings, str(self.images))
        self.recorder.start()

    def image(self, seq: int, content: bytes = PHOTO, label: str = "good", score: float = 0.9,
        committed: bool = True, **more: Any) -> None:  # fmt: skip
        """Accepted, answered, recorded, and out of custody."""
        kept = self.images / kept_name("cam1", seq)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
        found = {"sha256": hashlib.sha256(content).hexdigest(), **more}
        result = record(seq, label, score, stream="cam1", **found)
        said = {k: v for k, v in result.items() if k not in {"worker", "model"}}
        done = {"v": 1, "worker": "w0", "model": {"name": "lite0"}, "results": [said]}
        self.recorder.sampler.offer(
            Message(t=0.0, topic=f"{SITE}/done", payload=json.dumps(done).encode())
        )
        eventually(lambda: not self.recorder.sampler._queue, "the sampler has looked")
        kept.unlink()
        if committed:
            self.recorder.observer.offer(message([result], self.recorder._wall()))

    @property
    def status(self) -> Any:
        return self.recorder.status()["samples"]

    def settled(self, images: int) -> None:
        eventually(lambda: self.status["kept"] + self.status["left_out"] == images, "all decided")

    def kept(self) -> list[tuple[int, str]]:
        page = Reader(file_of(self.state)).search(parse({"sample": "1"}, 0, Settings().zone))
        return [(r["seq"], r["sample"]) for r in page.records]


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Any]:
    lines: list[Line] = []

    def begin(**samples: Any) -> Line:
        lines.append(Line(tmp_path, **samples))
        return lines[-1]

    yield begin
    for line in lines:
        line.recorder.close()


def every(name: str = "all", **more: Any) -> dict[str, Any]:
    return {"name": name, "per_hour": 36_000_000.0, **more}


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({}, True),
        ({"camera": "cam1"}, True),
        ({"camera": "cam2"}, False),
        ({"label": "crack"}, True),
        ({"label": "dent"}, False),
        ({"score_min": 0.4, "score_max": 0.6}, True),
        ({"score_min": 0.6}, False),
        ({"score_max": 0.5}, False),
        ({"label": "crack", "score_max": 0.5}, False),
        ({"share": 1e-9}, False),
    ],
)
def test_a_rule_wants_an_image_for_which_all_of_it_is_true(
    rule: dict[str, Any], wanted: bool
) -> None:
    assert SampleRule(name="r", **rule).wants("cam1/1/m-1", "cam1", CRACK) is wanted


def test_a_share_is_drawn_by_the_image_and_near_what_was_asked() -> None:
    rule = SampleRule(name="r", share=0.1)
    drawn = [rule.wants(f"cam1/{n}/m-{n}", "cam1", CRACK) for n in range(5_000)]

    assert drawn == [rule.wants(f"cam1/{n}/m-{n}", "cam1", CRACK) for n in range(5_000)]
    assert 400 < sum(drawn) < 600


def test_a_camera_gives_one_picture_a_minute_however_many_fit() -> None:
    pace, rule = Pace(), SampleRule(name="r", per_hour=60.0)
    taken = [second for second in range(180) if pace.admits(rule, "cam1", float(second))]

    assert taken == [0, 60, 120]
    assert pace.admits(rule, "cam2", 1.0)


def test_a_picture_is_kept_whole_with_the_models_answer_after_its_file_has_gone(begun: Any) -> None:
    line = begun(rules=[every("cracks", label="crack")])
    line.image(1)
    line.image(2, label="crack")
    line.settled(1)
    reader = Reader(file_of(line.state))
    (found,) = reader.search(parse({"sample": "cracks"}, 0, Settings().zone)).records
    kept = reader.sample(found["number"])

    assert (found["seq"], found["label"]) == (2, "crack")
    assert kept is not None
    assert (kept.content, kept.media_type, kept.rule) == (PHOTO, "image/jpeg", "cracks")
    assert kept.answer["output"]["top"][0] == {"label": "crack", "score": 0.9}
    assert kept.answer["model"] == {"name": "lite0"}
    assert not list((line.images / SAMPLES).iterdir()), "no second name is left"


def test_what_a_rule_wanted_and_did_not_get_is_counted_by_reason(begun: Any) -> None:
    line = begun(rules=[{"name": "slow", "per_hour": 1.0}], max_bytes=len(PHOTO))
    line.image(1, content=PHOTO + b"one byte more")
    line.image(2)
    line.settled(2)

    assert line.status["left_out_by_reason"] == {"it is too large": 1, "rate": 1}
    assert line.status["matched"] == 2


def test_a_file_that_is_not_what_the_model_saw_is_not_kept(begun: Any) -> None:
    line = begun(rules=[every()])
    line.image(1, sha256="0" * 64)
    line.settled(1)

    assert line.status["left_out_by_reason"] == {"its file was changed": 1}


def test_above_their_quota_the_oldest_pictures_go_and_their_rows_stay(begun: Any) -> None:
    line = begun(rules=[every()], max_bytes=2 * len(PHOTO))
    for seq in (1, 2, 3):
        line.image(seq)
        line.settled(seq)
    rows = Reader(file_of(line.state)).search(parse({}, 0, Settings().zone)).records

    assert line.kept() == [(3, "all"), (2, "all")]
    assert [(r["seq"], r["sample"]) for r in rows] == [(3, "all"), (2, "all"), (1, "")]


def test_a_link_outside_the_volume_is_no_picture(begun: Any, tmp_path: Path) -> None:
    line = begun(rules=[every()])
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(PHOTO)
    (line.images / "drop").symlink_to(tmp_path)
    line.recorder.sampler._files.hold([], "")  # its folder is there
    hold = line.recorder.sampler._files.hold(["drop/secret.jpg", "../secret.jpg"], "")

    with pytest.raises(Exception, match="gone"):
        line.recorder.sampler._files.read(hold)


def test_two_models_that_differ_about_an_image_keep_it_with_both_answers(begun: Any) -> None:
    line = begun(rules=[every("differs", disagreement=True)])
    line.image(1)
    copy = line.images / "copy"
    copy.write_bytes(PHOTO)
    old = record(1, "good", stream="cam1", sha256=hashlib.sha256(PHOTO).hexdigest())
    line.recorder.sampler.differ(old, record(1, "bad", stream="cam1"), "copy")
    copy.unlink()
    line.settled(1)
    ((seq, rule),) = line.kept()
    kept = Reader(file_of(line.state)).sample(1)

    assert (seq, rule) == (1, "differs")
    assert kept is not None
    assert kept.content == PHOTO
    assert kept.answer["other"]["output"]["top"][0]["label"] == "bad"


def test_rules_that_do_not_read_keep_nothing_and_are_said() -> None:
    settings = of_environment({"FANFOLD_HISTORY": '{"samples":{"rules":[{"share":0.1}]}}'})

    assert settings.samples.rules == ()
    assert "FANFOLD_HISTORY" in settings.problem


def test_a_history_of_the_format_before_is_read_and_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    open_for_writing(path, 64 << 20).connection.close()
    with sqlite3.connect(path) as old:
        old.executescript("DROP TABLE samples; PRAGMA user_version=1;")
    old.close()
    before = Reader(path).search(parse({"sample": "1"}, 0, Settings().zone)).records
    opened = open_for_writing(path, 64 << 20)
    version = opened.connection.execute("PRAGMA user_version").fetchone()[0]
    opened.connection.close()

    assert before == []
    assert (version, opened.salvage) == (2, None)


def test_a_full_file_of_the_format_before_is_taken_over_and_grows_no_further(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.sqlite3"
    old = open_for_writing(path, 64 << 20).connection
    old.executescript("DROP TABLE samples; DROP TABLE labels_of_days; PRAGMA user_version=1;")
    old.execute("CREATE TABLE filling(x)")
    old.execute("INSERT INTO filling VALUES(zeroblob(8000000))")
    old.execute("INSERT INTO labels_of_slots VALUES(48, 1, 2, 3), (95, 1, 2, 4), (96, 1, 2, 5)")
    old.close()
    opened = open_for_writing(path, 1 << 20)
    days = opened.connection.execute("SELECT day, images FROM labels_of_days").fetchall()

    assert (opened.salvage, days) == (None, [(1, 7), (2, 5)])
    with pytest.raises(sqlite3.OperationalError, match="full"):
        opened.connection.execute("INSERT INTO filling VALUES(zeroblob(8000000))")
    opened.connection.close()
