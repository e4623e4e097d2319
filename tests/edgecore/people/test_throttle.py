"""Guessing a password is slow, and keeps nobody out but who guesses."""

from __future__ import annotations

import pytest

from edgecore.people.throttle import (
    FORGET_S,
    FREE_FAILURES,
    MAX_ADDRESSES,
    MAX_WAIT_S,
    Throttle,
)


def fail(throttle: Throttle, address: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        throttle.failed(address, now)


def test_a_few_mistakes_cost_nothing() -> None:
    throttle = Throttle()
    fail(throttle, "10.0.0.1", FREE_FAILURES - 1)

    assert throttle.wait_s("10.0.0.1", 0.0) == 0


def test_each_further_failure_doubles_the_wait_up_to_a_minute() -> None:
    throttle = Throttle()
    fail(throttle, "10.0.0.1", FREE_FAILURES)
    waits = []
    for _ in range(9):
        waits.append(throttle.wait_s("10.0.0.1", 0.0))
        throttle.failed("10.0.0.1", 0.0)

    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT_S, MAX_WAIT_S, MAX_WAIT_S]


def test_another_address_never_waits_for_it() -> None:
    throttle = Throttle()
    fail(throttle, "10.0.0.1", 1000)

    assert throttle.wait_s("10.0.0.2", 0.0) == 0


@pytest.mark.parametrize("same", ["2001:db8::2", "2001:db8:0:0:ffff::1"])
def test_one_network_of_ipv6_is_one_address(same: str) -> None:
    throttle = Throttle()
    fail(throttle, "2001:db8::1", FREE_FAILURES)

    assert throttle.wait_s(same, 0.0) > 0
    assert throttle.wait_s("2001:db8:0:1::1", 0.0) == 0


def test_an_address_is_forgotten_after_a_quarter_of_an_hour() -> None:
    throttle = Throttle()
    fail(throttle, "10.0.0.1", 50)

    assert throttle.wait_s("10.0.0.1", FORGET_S) == 0
    throttle.failed("10.0.0.1", FORGET_S)
    assert throttle.wait_s("10.0.0.1", FORGET_S) == 0


def test_a_crowd_of_addresses_takes_bounded_memory() -> None:
    throttle = Throttle()
    for number in range(MAX_ADDRESSES + 100):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)

    assert len(throttle._failures) == MAX_ADDRESSES
