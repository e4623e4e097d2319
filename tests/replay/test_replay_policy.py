"""What is pure: the cut, the ledger, the judgement, the arrays; and the driver with a script."""

from __future__ import annotations

import pytest
from checkout import PROJECT
from replay_kit import ScriptedEngine, whole_of

from bench.replay_on_paper import table
from replay.ahead import READERS, read_ahead
from replay.cost import Work, cost
from replay.cut import ROOT, cut, shard_of
from replay.drive import Driver
from replay.engines.engine import CameBack, Done, Ended, Unable
from replay.errors import CannotLoadError
from replay.place import Entry
from replay.shard import Outcome
from replay.sorting import sorted_on_disk


def entries(*names):
    return [Entry(name, 1, "m") for name in names]


def test_shards_number_each_stream_and_keep_loose_images_together():
    shards = list(cut(entries("a.jpg", "cam1/1.jpg", "cam1/2.png", "cam1/x.txt", "z.jpg"), 10))

    assert [(s.stream, s.first, s.names) for s in shards] == [
        ("cam1", 1, ("cam1/1.jpg", "cam1/2.png")),
        (ROOT, 1, ("a.jpg", "z.jpg")),
    ]
    assert [shard_of(s.line()) for s in shards] == shards


def test_a_shards_key_changes_with_its_content_alone():
    [before] = cut(entries("c/1.jpg"), 10)
    [same] = cut(entries("c/1.jpg"), 10)
    [changed] = cut([Entry("c/1.jpg", 1, "another mark")], 10)

    assert before.key == same.key != changed.key


def test_more_names_than_a_run_are_sorted_by_their_bytes():
    names = ["b", "a", "é", "B", "c/", "c-"]

    assert list(sorted_on_disk(names, run=2)) == sorted(names, key=str.encode)


def test_objects_are_read_a_few_ahead_in_order_and_fail_at_their_turn():
    asked, taken = [], []

    def read(number):
        asked.append(number)
        if number == 50:
            raise FileNotFoundError(number)
        return b"%d" % number

    def take_all():
        for number, content in read_ahead(range(100), read):
            assert max(asked) < number + READERS
            taken.append((number, content))

    with pytest.raises(FileNotFoundError):
        take_all()

    assert taken == [(number, b"%d" % number) for number in range(50)]


def done(whole, shard):
    whole.store.write_once(f"{whole.replay.model}/shards/{shard.key}.jsonl", b"")
    return Done(Outcome(shard.key, len(shard.names), {}, True))


def test_a_shard_that_ends_its_process_three_times_is_quarantined_and_its_neighbours_are_not(
    tmp_path,
):
    whole = whole_of(tmp_path)
    guilty = next(iter(whole.plan)).key

    def events(held):
        if any(shard.key == guilty for shard in held):
            ended, _ = list(held), held.clear()
            return [Ended(ended, "exit code -9")]
        return [done(whole, held.popleft())] if held else []

    tally = whole.run(ScriptedEngine(events))

    assert tally.quarantined == ["shard cam1 1-5"]
    assert (tally.images, tally.failed) == (20, {"killed_workers": 5})
    assert any("is quarantined" in message for message in whole.heard.messages)


def test_nodes_that_go_away_and_buckets_that_ask_for_a_pause_accuse_no_shard(tmp_path):
    whole = whole_of(tmp_path)
    times = {}

    def events(held):
        shard = held.popleft()
        times[shard.key] = times.get(shard.key, 0) + 1
        return [CameBack(shard, "gone")] if times[shard.key] < 5 else [done(whole, shard)]

    tally = whole.run(ScriptedEngine(events, isolates=True))

    assert (tally.images, tally.quarantined) == (20, [])


def unfit(shard, node):
    return Unable(shard, node, CannotLoadError(f"the package does not fit {node}: no onnxruntime"))


def test_a_package_that_fits_no_node_ends_the_replay(tmp_path):
    whole = whole_of(tmp_path)

    with pytest.raises(CannotLoadError, match="does not fit n1: no onnxruntime"):
        whole.run(ScriptedEngine(lambda held: [unfit(held.popleft(), "n1")]))


def test_a_node_that_fails_at_once_does_not_end_a_replay_that_others_can_do(tmp_path):
    whole = whole_of(tmp_path)
    misfits = 10

    def events(held):
        nonlocal misfits
        if misfits and held:
            misfits -= 1
            return [unfit(held.popleft(), "n1")]
        return [done(whole, held.popleft())] if held else []

    tally = whole.run(ScriptedEngine(events, isolates=True, places=2))

    assert (tally.images, misfits) == (20, 0)


def test_a_package_that_fits_none_of_many_nodes_is_tried_on_each_of_them(tmp_path):
    whole, tried = whole_of(tmp_path), []

    def events(held):
        tried.append(f"n{len(tried)}")
        return [unfit(held.popleft(), tried[-1])]

    with pytest.raises(CannotLoadError, match="does not fit n4"):
        whole.run(ScriptedEngine(events, isolates=True, places=5))

    assert len(tried) == 5


def test_a_shard_that_came_back_rests_and_the_others_go_on(tmp_path):
    whole = whole_of(tmp_path)
    first, *others = [shard.key for shard in whole.plan]

    def events(held):
        if not held:
            return []
        shard = held.popleft()
        if len(engine.submitted) == 1:
            return [CameBack(shard, "the bucket asks for a pause")]
        return [done(whole, shard)]

    engine = ScriptedEngine(events, isolates=True, lanes=1)
    Driver(whole.replay, engine, whole.heard, first_pause_s=1.0).run()

    assert engine.submitted == [first, *others, first]


def test_the_page_about_ten_to_the_eighth_images_has_the_arithmetic_of_the_code():
    assert table() in (PROJECT / "docs/replay-on-paper.md").read_text()


def test_a_replay_costs_its_hours_and_a_get_for_every_image():
    found = cost(Work(10**8, 10**5, True, True), 100 * 120.0, 100 * 0.40)

    assert found.hours == pytest.approx(2.31, abs=0.01)
    assert found.requests_usd == pytest.approx(41.08, abs=0.01)
