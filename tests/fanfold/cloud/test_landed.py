"""Results read back from the bucket: each once, in order, whatever came twice or late."""

from __future__ import annotations

import json
import random
from datetime import datetime, timezone
from typing import Any

import pytest
from cloud_plant import Plant
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import dumps
from fanfold.cloud.landed import Collected, Wanted, records_of, since_of

T0 = 1_790_000_000.0


def record(stream: str, seq: int, **facts: Any) -> dict[str, Any]:
    return {"stream": stream, "seq": seq, "id": f"{stream}-{seq}", "status": "ok", **facts}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9)), max_size=40), st.randoms())
def test_every_record_once_and_each_stream_in_order(made, rng):
    collected = Collected()
    sent = [("e1", record(s, n)) for s, n in made] + [("e1", record(s, n)) for s, n in made[::2]]
    rng.shuffle(sent)
    for epoch, each in sent:
        collected.add(epoch, each)

    got = [(r["stream"], r["seq"]) for r in collected.ordered()]

    assert got == sorted(set(made))


@pytest.mark.parametrize("gap_first", [True, False])
def test_a_late_record_takes_the_place_of_its_gap(gap_first):
    both = [{"stream": "a", "seq": 2, "status": "gap"}, record("a", 2)]
    collected = Collected()
    for each in both if gap_first else reversed(both):
        collected.add("e1", each)

    assert collected.ordered() == [record("a", 2)]


def test_numbers_that_begin_again_in_a_new_epoch_are_other_records():
    collected = Collected()
    for epoch, seq in (("old", 1), ("old", 2), ("new", 1)):
        collected.add(epoch, record("a", seq, epoch=epoch))

    assert [(r["epoch"], r["seq"]) for r in collected.ordered()] == [
        ("old", 1), ("old", 2), ("new", 1),
    ]  # fmt: skip


def test_a_camera_that_moved_to_another_box_has_its_boxes_in_the_order_of_its_images():
    """The folders of the boxes are read one after another; the names of their runs say nothing."""
    collected = Collected()
    for epoch, seq, t_in in (("1-new", 1, 30.0), ("1-new", 2, 40.0), ("2-old", 1, 10.0)):
        collected.add(epoch, record("a", seq, epoch=epoch, t_in=t_in))

    assert [(r["epoch"], r["seq"]) for r in collected.ordered(boxes=2)] == [
        ("2-old", 1), ("1-new", 1), ("1-new", 2),
    ]  # fmt: skip


def test_a_time_is_an_age_or_a_date():
    assert since_of("2h", T0) == T0 - 7200
    noon = datetime(2026, 11, 25, 12, tzinfo=timezone.utc).timestamp()
    assert since_of("2026-11-25T12:00", T0) == noon
    assert since_of("2026-11-25T12:00Z", T0) == noon
    with pytest.raises(ValueError):
        since_of("yesterday", T0)


def test_a_record_without_a_time_is_not_left_out():
    assert Wanted(since=T0).takes({"stream": "a", "seq": 3, "status": "gap"})
    assert not Wanted(since=T0).takes(record("a", 1, t_in=T0 - 1))


def test_an_outbox_line_ends_where_its_writer_ended_it():
    sent = [record("a", 1, label="one\u2028two\x85three"), record("a", 2)]
    body = "".join(dumps(each) + "\n" for each in sent).encode()

    assert list(records_of("results/epoch=e1/stream=a/1-2.jsonl", body)) == [
        ("e1", each) for each in sent
    ]


def land(plant: Plant, hour: str, epoch: str, results: list[dict[str, Any]]) -> None:
    """One batch as the IoT rule writes it."""
    name = f"{epoch}-{random.getrandbits(40):010x}"
    key = f"batches/site={plant.name}/day=2026-11-25/hour={hour}/{name}.json"
    body = json.dumps({"v": 1, "site": plant.name, "epoch": epoch, "batch": name,
                       "results": results}).encode()  # fmt: skip
    plant.clients["s3"].put_object(Bucket=plant.bucket, Key=key, Body=body)


def read(plant: Plant, *arguments: str) -> list[tuple[str, int]]:
    said = plant.fanfold(
        "results", plant.name, "--from", "cloud", "--bucket", plant.bucket, "--json", *arguments
    )
    assert said.returncode == 0, said.stderr
    return [(r["stream"], r["seq"]) for r in map(json.loads, said.stdout.splitlines())]


def test_the_verb_reads_the_store_with_its_filters(plant: Plant):
    two_pm = datetime(2026, 11, 25, 14, tzinfo=timezone.utc).timestamp()
    land(plant, "13", "e1", [record("cam1", 1, t_in=two_pm - 1900), record("cam2", 1, job="j1")])
    land(plant, "14", "e1", [record("cam1", 2, t_in=two_pm + 10)])
    land(plant, "14", "e1", [record("cam1", 3, t_in=two_pm + 20), record("cam1", 2, t_in=two_pm)])

    assert read(plant) == [("cam1", 1), ("cam1", 2), ("cam1", 3), ("cam2", 1)]
    assert read(plant, "--stream", "cam1", "-n", "2") == [("cam1", 1), ("cam1", 2)]
    assert read(plant, "--job", "j1") == [("cam2", 1)]
    assert read(plant, "--since", "2026-11-25T14:00", "--stream", "cam1") == [
        ("cam1", 2), ("cam1", 3),
    ]  # fmt: skip


def test_the_outbox_is_read_with_its_late_records_in_place(plant: Plant):
    plant.write(cloud={"outbox": {"bucket": plant.bucket}})
    base = f"results/site={plant.name}/epoch=e1/stream=cam1"
    for folder, seqs in (("", (1, 3)), ("late/", (2,))):
        body = "".join(json.dumps(record("cam1", seq)) + "\n" for seq in seqs)
        key = f"{base}/{folder}{min(seqs):012d}-{max(seqs):012d}.jsonl"
        plant.clients["s3"].put_object(Bucket=plant.bucket, Key=key, Body=body.encode())

    said = plant.fanfold("results", plant.name, "--from", "outbox", "--json")

    assert [json.loads(line)["seq"] for line in said.stdout.splitlines()] == [1, 2, 3], said.stderr


def test_a_bucket_that_is_not_there_is_a_sentence(plant: Plant):
    said = plant.fanfold("results", plant.name, "--from", "cloud", "--bucket", "no-such-results")

    assert said.returncode == 4
    assert "no-such-results" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_site_that_was_never_deployed_has_no_bucket_yet(plant: Plant):
    said = plant.fanfold("results", plant.name, "--from", "cloud")

    assert said.returncode == 4
    assert f"fanfold-{plant.name}-123456789012-us-east-1" in said.stderr
