"""One look at the core for all who look regularly."""

from __future__ import annotations

from contract.status import Status
from edgecore.daemon.glance import MAX_AGE_S, Glance


class Looks:
    """Counts them; each sees something new, at ``now``."""

    def __init__(self) -> None:
        self.seen: list[Status] = []
        self.now = 100.0

    def look(self) -> Status:
        self.seen.append({"v": 1})
        return self.seen[-1]


def test_who_looks_soon_after_another_sees_what_that_one_saw() -> None:
    looks = Looks()
    glance = Glance(looks.look, lambda: looks.now)
    first = glance()
    looks.now += MAX_AGE_S / 2

    assert glance() is first
    looks.now += MAX_AGE_S
    assert glance() is looks.seen[1]


def test_of_another_group_nothing_is_known_from_before() -> None:
    looks = Looks()
    glance = Glance(looks.look, lambda: looks.now)
    glance()
    glance.forget()

    assert glance() is looks.seen[1]
