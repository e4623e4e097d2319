from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgecore.core import lifecycle
from edgecore.core.lifecycle import RestartPolicy, is_hung, is_overdue


def test_delays_double_up_to_the_limit() -> None:
    policy = RestartPolicy()
    delays = [policy.after_exit(n * 1000.0, 1.0, 0.999999).delay_s for n in range(12)]
    assert delays[1] > 1.9 * delays[0]
    assert max(delays) <= lifecycle.MAX_DELAY_S


def test_five_exits_within_a_minute_are_a_crash_loop_that_is_still_retried() -> None:
    policy = RestartPolicy()
    restarts = [policy.after_exit(float(n), 0.1, 0.0) for n in range(5)]
    assert [v.state for v in restarts] == ["backoff"] * 4 + ["crash_loop"]
    assert 0 < restarts[-1].delay_s <= lifecycle.CRASH_LOOP_DELAY_S


def test_a_process_that_lived_long_starts_again_at_the_first_delay() -> None:
    policy = RestartPolicy()
    for n in range(3):
        policy.after_exit(n * 100.0, 1.0, 0.0)
    restart = policy.after_exit(1000.0, lifecycle.STABLE_S, 0.0)
    assert restart.delay_s <= lifecycle.FIRST_DELAY_S


def test_a_process_that_worked_until_it_was_killed_is_in_no_crash_loop() -> None:
    policy = RestartPolicy()
    for n in range(20):
        restart = policy.after_exit(n * 2.0, 1.5, 0.0, answered=lifecycle.STABLE_ANSWERS)
        assert restart.state == "backoff"
        assert restart.delay_s <= lifecycle.FIRST_DELAY_S


def test_one_answer_is_no_work() -> None:
    policy = RestartPolicy()
    restarts = [policy.after_exit(float(n), 0.1, 0.0, answered=1) for n in range(5)]
    assert restarts[-1].state == "crash_loop"


@given(st.lists(st.floats(0, 1e4), min_size=1).map(sorted), st.floats(0, 0.999))
def test_there_is_always_a_next_start_at_a_bounded_time(exits: list[float], jitter: float) -> None:
    policy = RestartPolicy()
    for at in exits:
        restart = policy.after_exit(at, 0.0, jitter)
        assert 0 < restart.delay_s <= lifecycle.CRASH_LOOP_DELAY_S


def test_hung_is_work_waiting_and_nobody_asking_beyond_the_timeout() -> None:
    quiet = {"last_seen": 0.0, "oldest_at": 0.0, "timeout_s": 3.0}
    assert is_hung(now=5.1, waiting=1, **quiet)
    assert not is_hung(now=4.9, waiting=1, **quiet)
    assert not is_hung(now=99.0, waiting=0, **quiet), "nothing to do is not hung"
    assert not is_hung(now=99.0, waiting=1, last_seen=0.0, oldest_at=98.0, timeout_s=3.0)


def test_a_handler_is_overdue_only_beyond_its_timeout() -> None:
    assert not is_overdue(3.0, 0.0, 3.0)
    assert is_overdue(3.1, 0.0, 3.0)
