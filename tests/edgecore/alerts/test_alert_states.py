"""When people are told: once it is on, again until somebody knows, and when it has ended."""

from __future__ import annotations

from edgecore.alerts.alert_states import AlertStates, Notice
from edgecore.alerts.rules import Rule

WORKER = Rule(name="workers", when="worker_down", for_s=60, cool_down_s=600)
WRONG = {"workers": "w0 is hung"}
WALL = 1_790_000_000.0


def at(states: AlertStates, now: float, wrong: dict[str, str | None] = WRONG) -> list[str]:
    return [n.kind for n in states.step([WORKER], wrong, now, WALL + now)]


def test_what_does_not_last_calls_nobody() -> None:
    states = AlertStates()

    assert [at(states, t) for t in (0, 30)] == [[], []]
    assert at(states, 50, {}) == []
    assert states.as_json() == []


def test_what_lasts_is_told_once_then_again_after_the_cool_down_and_when_it_ends() -> None:
    states = AlertStates()
    told = {t: at(states, t) for t in range(0, 1400, 10)}

    assert {t: kinds for t, kinds in told.items() if kinds} == {
        60: ["on"], 660: ["again"], 1260: ["again"],
    }  # fmt: skip
    assert at(states, 1400, {}) == ["ended"]


def test_an_acknowledged_alert_is_not_told_again_but_its_end_is() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)

    assert states.acknowledge("workers", WALL)
    assert [at(states, t) for t in (700, 1400)] == [[], []]
    assert at(states, 1500, {}) == ["ended"]


def test_what_is_not_on_cannot_be_acknowledged() -> None:
    states = AlertStates()
    at(states, 0)

    assert not states.acknowledge("workers", WALL)
    assert not states.acknowledge("no-such", WALL)


def test_a_condition_that_comes_and_goes_calls_once_in_a_cool_down() -> None:
    states, told = AlertStates(), []
    rule = Rule(name="workers", when="worker_down", cool_down_s=600)
    for now in range(0, 600, 10):
        wrong = WRONG if now % 20 == 0 else {}
        told += [n.kind for n in states.step([rule], wrong, now, WALL)]

    assert told == ["on", "ended"]


def test_after_a_restart_nobody_is_told_a_second_time_and_acknowledged_stays() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)
    states.acknowledge("workers", WALL)
    later = AlertStates()
    later.restore(states.kept(), now=5.0, wall=WALL + 60)

    assert at(later, 6) == []
    assert later.as_json()[0]["acknowledged"] == WALL
    assert at(later, 7, {}) == ["ended"]


def test_after_a_restart_it_stays_on_until_enough_was_seen_to_say_that_it_ended() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)
    later = AlertStates()
    later.restore(states.kept(), now=5.0, wall=WALL + 60)

    assert later.step([WORKER], {}, 6, WALL, unsure={"workers"}) == []
    (shown,) = later.as_json()
    assert (shown["state"], shown["unconfirmed"], shown["since"]) == ("on", True, WALL)
    assert at(later, 7, {}) == ["ended"]


def test_after_a_restart_a_condition_that_is_seen_again_is_the_same_alert() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)
    later = AlertStates()
    later.restore(states.kept(), now=5.0, wall=WALL + 60)

    assert later.step([WORKER], WRONG, 6, WALL, unsure={"workers"}) == []
    assert not later.as_json()[0]["unconfirmed"]
    assert [n.kind for n in later.step([WORKER], {}, 7, WALL, unsure={"workers"})] == ["ended"]


def test_what_is_new_after_a_restart_ends_as_soon_as_its_condition_does() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)

    assert [n.kind for n in states.step([WORKER], {}, 61, WALL, unsure={"workers"})] == ["ended"]


def test_a_cool_down_goes_on_over_restarts_however_often_the_core_starts() -> None:
    told, states = {}, AlertStates()
    for start in range(0, 1_300, 100):
        later = AlertStates()
        later.restore(states.kept(), now=7.0, wall=WALL + start)
        states = later
        for s in range(0, 100, 10):
            for n in states.step([WORKER], WRONG, 7.0 + s, WALL + start + s):
                told[start + s] = n.kind

    assert told == {60: "on", 660: "again", 1_260: "again"}


def test_what_comes_and_goes_calls_once_in_a_cool_down_over_a_restart_too() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)
    at(states, 70, {})
    later = AlertStates()
    later.restore(states.kept(), now=5.0, wall=WALL + 100)

    assert [n.kind for t in (5.0, 65.0) for n in later.step([WORKER], WRONG, t, WALL)] == []
    assert [n.kind for n in later.step([WORKER], WRONG, 565.0, WALL)] == ["on"]


def test_a_clock_set_back_or_far_ahead_between_two_starts_costs_one_cool_down_at_most() -> None:
    def again_at(wall_of_start: float) -> float:
        states = AlertStates()
        at(states, 0)
        at(states, 60)
        later = AlertStates()
        later.restore(states.kept(), now=0.0, wall=wall_of_start)
        times = (float(t) for t in range(0, 2_000, 10))
        return next(t for t in times if later.step([WORKER], WRONG, t, wall_of_start))

    assert again_at(WALL - 50 * 365 * 86_400) == 600
    assert again_at(WALL + 365 * 86_400) == 0


def test_what_a_core_before_this_one_kept_is_read() -> None:
    before = {"workers": {"since": WALL, "text": "w0 is hung", "acknowledged": None, "told": True}}
    states = AlertStates()
    states.restore(before, now=5.0, wall=WALL)

    assert at(states, 604) == []
    assert at(states, 605) == ["again"]


def test_a_rule_that_is_gone_ends_without_a_word() -> None:
    states = AlertStates()
    at(states, 0)
    at(states, 60)

    assert states.step([], {}, 70, WALL) == []
    assert states.as_json() == []


def notice(text: str = "w0 is hung", kind: str = "on") -> Notice:
    return Notice(kind=kind, rule="workers", text=text, t=WALL, since=WALL)  # type: ignore[arg-type]
