"""Records are found again by everything that is known of them."""

from __future__ import annotations

from typing import Any

import pytest
from histories import T0, failed, message, record, write

from edgecore.history.query import QueryError, parse
from edgecore.history.reader import NoHistoryError, Reader
from edgecore.history.schema import file_of
from edgecore.history.settings import Settings

ZONE = Settings(time_zone="UTC").zone
BOX = {"box": [0, 0, 1, 1]}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: Any) -> Reader:
    state = tmp_path_factory.mktemp("history")
    boxes = [
        {"label": "crack", "score": 0.4, **BOX},
        {"label": "dent", "score": 0.8, **BOX},
        {"label": "crack", "score": 0.6, **BOX},
    ]
    write(
        state,
        message([record(1), record(2, "crack", 0.7), failed(3)], T0),
        message([record(4, output={"boxes": boxes}, job="j-1")], T0 + 60),
        message([record(1, "good", name="Müller 7[b].png"), {"seq": 5, "status": "gap"}], T0 + 3600,
            "cam2"),
        settings=Settings(defects=frozenset({"crack"}), time_zone="UTC"),
    )  # fmt: skip
    return Reader(file_of(state))


def seqs(reader: Reader, **given: str) -> list[tuple[str, int]]:
    page = reader.search(parse(given, T0 + 7200, ZONE))
    return [(r["camera"], r["seq"]) for r in page.records]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, [("cam2", 1), ("cam1", 4), ("cam1", 3), ("cam1", 2), ("cam1", 1)]),
        ({"camera": "cam2"}, [("cam2", 1)]),
        ({"camera": "nobody"}, []),
        ({"label": "crack"}, [("cam1", 4), ("cam1", 2)]),
        ({"label": "crack", "score_min": "0.65"}, [("cam1", 2)]),
        ({"score_min": "0.85"}, [("cam2", 1), ("cam1", 1)]),
        ({"status": "failed"}, [("cam1", 3)]),
        ({"defect": "1"}, [("cam1", 4), ("cam1", 2)]),
        ({"name": "part-000002"}, [("cam1", 2)]),
        ({"name": "*03.jpg"}, [("cam1", 3)]),
        ({"name": "Müller"}, [("cam2", 1)]),
        ({"name": "Müller 7[b].png"}, [("cam2", 1)]),
        ({"name": "*[b].png"}, [("cam2", 1)]),
        ({"job": "j-1"}, [("cam1", 4)]),
        ({"since": "90m"}, [("cam2", 1)]),
        ({"until": "2026-09-21T14:13:30"}, [("cam1", 3), ("cam1", 2), ("cam1", 1)]),
    ],
)
def test_a_search_finds_what_it_names(
    reader: Reader, given: dict[str, str], found: list[tuple[str, int]]
) -> None:
    assert seqs(reader, **given) == found


def test_a_failed_image_has_its_name_its_reason_and_its_detail(reader: Reader) -> None:
    (one,) = reader.search(parse({"status": "failed"}, T0, ZONE)).records

    assert (one["name"], one["folder"]) == ("part-000003.jpg", "drop/cam1")
    assert (one["reason"], one["detail"]) == ("truncated", "ends early")


def test_pages_follow_one_another_without_a_row_twice(reader: Reader) -> None:
    first = reader.search(parse({"limit": "2"}, T0, ZONE))
    second = reader.search(parse({"limit": "2", "before": first.next or ""}, T0, ZONE))

    assert [r["number"] for r in first.records + second.records] == [5, 4, 3, 2]


def test_counts_give_the_defect_rate_of_each_camera_by_hour(reader: Reader) -> None:
    settings = Settings(time_zone="UTC")
    counts = reader.counts("hour", T0 - 3600, T0 + 7200, settings)

    assert [(c["period"], c["camera"], c["ok"], c["failed"], c["defects"]) for c in counts] == [
        ("2026-09-21 14:00", "cam1", 3, 1, 2),
        ("2026-09-21 15:00", "cam2", 1, 0, 0),
    ]
    assert counts[0]["defect_rate"] == pytest.approx(2 / 3, abs=1e-6)


def test_a_night_shift_belongs_to_the_day_on_which_it_began(reader: Reader) -> None:
    settings = Settings(time_zone="Asia/Tokyo", shifts_min=(360, 840, 1380))
    (early, late) = reader.counts("shift", T0 - 3600, T0 + 7200, settings)

    # 14:13 and 15:13 UTC are 23:13 and 00:13 in Tokyo.
    assert (early["period"], late["period"]) == ("2026-09-21 23:00", "2026-09-21 23:00")


def test_labels_are_counted_once_an_image(reader: Reader) -> None:
    found = {(x["camera"], x["label"]): x["images"] for x in reader.labels(T0 - 9, T0 + 7200)}

    assert found[("cam1", "crack")] == 2
    assert found[("cam1", "dent")] == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": "bad"}, "ok, failed, dropped"),
        ({"since": "yesterday"}, "2026-11-25T14:00"),
        ({"limit": "5000"}, "1 to 1000"),
        ({"before": "x"}, "`next`"),
        ({"colour": "red"}, "no such field"),
        ({"score_min": "high"}, "0.8"),
        ({"score_min": "nan"}, "0.8"),
        ({"score_max": "1e306"}, "0.8"),
        ({"before": "1.99999999999999999999"}, "`next`"),
        ({"since": "99999999999999999999"}, "2026-11-25T14:00"),
        ({"since": "2h", "until": "5h"}, "not after since"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(given: dict[str, str], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        parse(given, T0, ZONE)


def test_where_no_core_ever_ran_the_reader_says_so(tmp_path: Any) -> None:
    with pytest.raises(NoHistoryError, match="no history at"):
        Reader(tmp_path / "none.sqlite3").search(parse({}, T0, ZONE))
