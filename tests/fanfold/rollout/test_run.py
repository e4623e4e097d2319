"""Whole rollouts over scripted sites: the real loop, the real record, ends of every kind."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_kit import (
    GOOD,
    ILL,
    KINDS,
    NEW,
    OFF,
    OLD,
    PARTLY,
    REFUSES,
    SILENT,
    Killed,
    ScriptedSite,
    ScriptedWays,
    fleet,
    run_once,
)

from fanfold.common.errors import UserError
from fanfold.rollout.held import held
from fanfold.rollout.record import Record, fold, set_aside_if_done
from fanfold.rollout.state import Stand
from fanfold.rollout.under_way import record_path, without_gone
from fanfold.rollout.waves import deal

S = Stand


def twenty(**kinds: str) -> dict[str, ScriptedSite]:
    names = [f"line-{n:02}" for n in range(1, 21)]
    return fleet(
        **{**dict.fromkeys(names, GOOD), **{k.replace("_", "-"): v for k, v in kinds.items()}}
    )


def test_twenty_sites_with_one_off_get_the_model_and_the_one_is_told_apart(tmp_path):
    sites = twenty(line_09=OFF)
    ways = ScriptedWays(sites)

    state = run_once(tmp_path / "r.jsonl", sites, ways, deal(list(sites), None))

    assert state.stopped == ""
    assert state.stands.pop("line-09") is S.AWAY
    assert set(state.stands.values()) == {S.HEALTHY}
    assert sorted(ways.deployed) == sorted(sites)


def test_a_group_of_which_a_box_refuses_late_goes_back_with_the_boxes_that_took_it(tmp_path):
    sites = twenty(line_04=PARTLY)
    ways = ScriptedWays(sites)

    state = run_once(tmp_path / "r.jsonl", sites, ways, deal(list(sites), None))

    assert "line-04 unhealthy: box-2 FAILED: no such layer" in state.stopped
    assert state.stands["line-04"] is S.RETURNED
    assert (sites["line-04"].model, ways.deployed.count("line-04")) == (OLD, 2)


@pytest.mark.parametrize("kind", [REFUSES, ILL, SILENT])
def test_twenty_sites_with_one_bad_stop_in_its_wave_and_only_that_wave_goes_back(tmp_path, kind):
    sites = twenty(line_04=kind, line_05=OFF)
    waves = deal(list(sites), None)

    state = run_once(tmp_path / "r.jsonl", sites, ScriptedWays(sites), waves)

    assert "line-04" in waves[2]
    assert "line-04" in state.stopped
    assert {sites[s].model for wave in waves[:2] for s in wave} == {NEW}
    assert {sites[s].model for wave in waves[2:] for s in wave} == {OLD}
    assert {state.stands[s] for s in waves[3]} == {S.PENDING}


def test_a_stopped_rollout_goes_on_without_the_bad_site(tmp_path):
    path, sites = tmp_path / "r.jsonl", twenty(line_04=ILL)
    waves = deal(list(sites), None)
    run_once(path, sites, ScriptedWays(sites), waves)
    again = ScriptedWays(sites)

    state = run_once(path, sites, again, waves, resume=True, without=["line-04"])

    assert state.stopped == ""
    assert state.stands["line-04"] is S.LEFT_OUT
    assert sites["line-04"].model == OLD
    assert not {*waves[0], *waves[1], "line-04"} & set(again.deployed)
    assert {site.model for name, site in sites.items() if name != "line-04"} == {NEW}


def test_who_was_off_is_judged_when_the_rollout_is_resumed(tmp_path):
    path, sites = tmp_path / "r.jsonl", fleet(a=GOOD, b=GOOD, c=OFF)
    run_once(path, sites, ScriptedWays(sites), [("a",), ("b", "c")])
    sites["c"].kind, sites["c"].status = ILL, "Success"  # the device is back, and took it
    ways = ScriptedWays(sites)

    state = run_once(path, sites, ways, [], resume=True)

    assert ways.deployed == []
    assert (ways.returned, state.stands["b"]) == (["c"], S.HEALTHY)


def events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from((GOOD,) * 8 + KINDS), min_size=1, max_size=12),
    st.lists(st.integers(0, 6), max_size=4),
)
def test_whatever_the_sites_do_and_whenever_it_is_killed_the_promises_hold(kinds, kills):
    sites = fleet(**{f"s{n}": kind for n, kind in enumerate(kinds)})
    waves = deal(list(sites), None, [40, 100])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        for kill in kills:
            with suppress(Killed):
                run_once(path, sites, ScriptedWays(sites, dies_at=kill), waves)
        state = run_once(path, sites, ScriptedWays(sites), waves)
        said = events(path)

    order = [e["site"] for e in said if e.get("stand") == "deploying"]
    number = {site: n for n, wave in enumerate(waves) for site in wave}
    bad = ("failed", "unhealthy")
    stop = next((n for n, e in enumerate(said) if e.get("stand") in bad), len(said))
    assert [number[site] for site in order] == sorted(number[site] for site in order)
    assert not [e for e in said[stop:] if e.get("stand") == "deploying"]
    assert bool(state.stopped) == (said[-1]["event"] != "done")
    if state.stopped:
        assert {sites[s].model for wave in waves[state.current :] for s in wave} == {OLD}
        assert {sites[s].model for wave in waves[: state.current] for s in wave} <= {NEW}
    else:
        assert {s for s in sites if sites[s].kind not in (GOOD, OFF)} == set()
        assert {site.model for site in sites.values()} == {NEW}


@pytest.mark.parametrize("torn", ["sité".encode(), "sité".encode()[:-1]])
def test_a_torn_last_line_of_the_record_is_dropped_and_the_rollout_goes_on(tmp_path, torn):
    path, sites = tmp_path / "r.jsonl", fleet(a=GOOD, b=GOOD)
    with suppress(Killed):
        run_once(path, sites, ScriptedWays(sites, dies_at=1), [("a",), ("b",)])
    path.write_bytes(path.read_bytes() + b'{"v": 1, "t": 17, "event": "' + torn)

    state = run_once(path, sites, ScriptedWays(sites), [])

    assert set(state.stands.values()) == {S.HEALTHY}
    assert len(events(path)) == len(Record(path).events)


@pytest.mark.parametrize(("kind", "left"), [(GOOD, False), (ILL, True)])
def test_a_finished_rollout_makes_room_for_the_next_and_a_stopped_one_stays(tmp_path, kind, left):
    path, sites = tmp_path / "r.jsonl", fleet(a=kind)
    run_once(path, sites, ScriptedWays(sites), [("a",)])
    kept = path.read_bytes()

    set_aside_if_done(path)

    assert path.exists() is left
    assert [each.read_bytes() for each in tmp_path.glob("r*.jsonl")] == [kept]


def test_two_processes_do_not_run_one_rollout(tmp_path):
    path = tmp_path / "r.jsonl"
    first = Record(path)

    with pytest.raises(UserError, match="under way in another process"):
        Record(path)
    first.close()
    Record(path).close()


def test_two_rollouts_of_different_models_do_not_tell_one_site_at_once(tmp_path):
    with held(["line-1", "line-2"], tmp_path):
        second = held(["line-2", "line-3"], tmp_path)
        with pytest.raises(UserError, match="line-2 is in another rollout that is under way"):
            second.__enter__()
        with held(["line-3"], tmp_path):
            pass

    with held(["line-2"], tmp_path):
        pass


def interrupted(tmp_path, names=("a", "b", "c"), dies_at=1):
    """A rollout of NEW over these sites, one a wave, that is killed after `dies_at` of them."""
    sites = fleet(**dict.fromkeys(names, GOOD))
    path = record_path(tmp_path, NEW, names, names)
    with suppress(Killed):
        run_once(path, sites, ScriptedWays(sites, dies_at=dies_at), [(name,) for name in names])
    return path, sites


def test_an_interrupted_rollout_goes_on_when_a_site_was_removed_and_another_added(tmp_path):
    path, sites = interrupted(tmp_path)
    now = ["a", "b", "d"]

    assert record_path(tmp_path, NEW, now, now) == path
    record = Record(path)
    gone = without_gone(record.known, now)
    record.add("gone", sites=gone)
    record.close()
    ways = ScriptedWays(sites)
    state = run_once(path, sites, ways, [])

    assert gone == ["c"]
    assert (state.stands["c"], ways.deployed) == (S.LEFT_OUT, ["b"])
    assert events(path)[-1]["event"] == "done"
    assert record_path(tmp_path, NEW, now, now) != path


def test_an_interrupted_rollout_is_found_whatever_characters_its_reasons_have(tmp_path):
    path, _ = interrupted(tmp_path)
    record = Record(path)
    record.add("site", site="b", stand=S.AWAY.value, why="one\u2028two \udcff")
    record.close()

    assert record_path(tmp_path, NEW, ["a", "b"], ["a", "b"]) == path


def test_a_site_that_is_in_hand_may_not_lose_its_file(tmp_path):
    path, _ = interrupted(tmp_path)

    with pytest.raises(UserError, match=r"b has no file any more and is deploying"):
        without_gone(fold(events(path)), ["a", "c"])
    assert without_gone(fold(events(path)), ["b", "c"]) == []  # its wave is through


def test_a_part_of_an_interrupted_rollout_is_not_begun_beside_it(tmp_path):
    interrupted(tmp_path)

    with pytest.raises(UserError, match=r"was interrupted and has a too: give its whole pattern"):
        record_path(tmp_path, NEW, ["b"], ["a", "b", "c"])
    assert record_path(tmp_path, OLD, ["b"], ["a", "b", "c"])  # another model, a way out
    assert record_path(tmp_path, NEW, ["z"], ["a", "b", "c", "z"])


@pytest.mark.parametrize("content", [b'{"event": "site"}\n', b"\xff\xfe\n"])
def test_a_file_that_is_no_record_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)

    with pytest.raises(UserError, match="Move it away to begin anew"):
        Record(path)


def test_the_record_says_who_what_when_and_why(tmp_path):
    path, sites = tmp_path / "r.jsonl", fleet(a=GOOD, b=REFUSES)

    run_once(path, sites, ScriptedWays(sites), [("a",), ("b",)])

    said = events(path)
    assert said[0]["by"].count("@") == 1
    assert said[0]["before"] == dict.fromkeys("ab", f"version of {OLD}")
    assert [e["stand"] for e in said if e.get("site") == "b"] == ["deploying", "failed"]
    assert "labels.txt has SHA-256" in said[-1]["why"]
    assert all(e["t"] > 0 for e in said)
