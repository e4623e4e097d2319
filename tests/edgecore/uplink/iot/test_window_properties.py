"""Window, pace and suspects: pure, driven by drawn histories."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgecore.uplink.iot import quotas
from edgecore.uplink.iot.pacing import Pace
from edgecore.uplink.iot.suspects import PROOFS, REST_S, Suspects
from edgecore.uplink.iot.window import Window
from edgecore.uplink.sinks import Message

ACCEPTED, NEVER, LATER = 0, 0x87, 0x97
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 8)),
        st.tuples(st.just("answer"), st.integers(0, 7), st.sampled_from([ACCEPTED, NEVER, LATER])),
        st.tuples(st.just("lost")),
    ),
    max_size=60,
)


class Driver:
    """The spool and the far side of one window; checks what must hold at every step.

    `unsent`: of the spool, what this connection has not been given, or is to be given again.
    """

    def __init__(self, sizes: list[int], window: Window, limit_bytes: int) -> None:
        self.spool = [Message("e", n, "t", bytes(s)) for n, s in enumerate(sizes, start=1)]
        self.window, self.limit_bytes = window, limit_bytes
        self.flying: list[Message] = []
        self.accepted: set[int] = set()
        self.unsent = {message.id for message in self.spool}
        self.again: set[int] = set()
        self.never: set[int] = set()
        self.left: list[int] = []
        self.now = 0.0

    def align(self) -> None:
        self.window.align(self.spool[: self.window.max_messages])

    def send(self, count: int) -> None:
        for _ in range(count):
            message = self.window.next()
            if message is None:
                return
            assert message.id not in self.accepted, "what was accepted is not sent again"
            front = [m.id for m in self.spool[: self.window.max_messages]]
            assert message.id == min(self.unsent.intersection(front)), "the spool's order"
            if message.id not in self.again:
                highest = max((m.id for m in self.flying), default=0)
                assert message.id > highest, "only what was refused for now is overtaken"
            self.unsent.discard(message.id)
            self.again.discard(message.id)
            self.window.sent(message, self.now)
            self.flying.append(message)
            assert len(self.flying) <= self.window.max_messages
            size = sum(len(m.payload) for m in self.flying)
            assert size <= self.limit_bytes or len(self.flying) == 1

    def answer(self, index: int, code: int) -> None:
        if not self.flying:
            return
        message = self.flying.pop(index % len(self.flying))
        if code == ACCEPTED:
            self.accepted.add(message.id)
        elif code == NEVER:
            self.never.add(message.id)
        self.window.answered(message, code, self.now)

    def settle(self) -> None:
        settled = self.window.settled()
        for message in self.spool[:settled]:
            assert message.id in self.accepted, "only what was accepted leaves the spool"
            self.left.append(message.id)
        del self.spool[:settled]
        self.align()
        code = self.window.refused()
        if code == LATER:
            self.window.again()
            self.unsent.add(self.spool[0].id)
            self.again.add(self.spool[0].id)
        elif code == NEVER:
            assert self.spool[0].id in self.never
            self.left.append(self.spool.pop(0).id)
        self.align()

    def play(self, step: tuple) -> None:
        self.now += 0.01
        if step[0] == "send":
            self.send(step[1])
        elif step[0] == "answer":
            self.answer(step[1], step[2])
        else:
            self.window.lost()
            self.flying.clear()
            self.again.clear()
            here = {message.id for message in self.spool}
            self.unsent = here - self.accepted - self.never
        self.settle()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 600), min_size=1, max_size=12), STEPS)
def test_nothing_is_skipped_sent_twice_after_acceptance_or_beyond_the_window(
    sizes: list[int], steps: list[tuple]
) -> None:
    driver = Driver(sizes, Window(max_messages=5, max_bytes=1000), 1000)
    driver.align()
    for step in steps:
        driver.play(step)
    for _ in range(4 * len(sizes) + 4):  # then the far side is well again
        if not driver.spool:
            break
        driver.send(5)
        while driver.flying:
            driver.answer(0, ACCEPTED)
        driver.settle()
    assert driver.left == list(range(1, len(sizes) + 1)), "all leave, in order, each once"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 2000)), min_size=1, max_size=60),
)
def test_no_second_has_more_messages_than_the_rate_and_its_burst(
    arrivals: list[tuple[float, int]],
) -> None:
    pace = Pace(messages_per_s=10, burst_messages=3, bytes_per_s=5000, counted_per_s=1_000)
    now, sent = 0.0, []
    for gap, size in arrivals:
        now += gap
        while (wait := pace.wait_s(now)) > 0:
            assert now + wait > now, "a wait moves the clock"
            now += wait
        pace.arrived(now, size)
        sent.append((now, size))
    for at, _ in sent:
        second = [size for t, size in sent if at <= t < at + 1.0]
        assert len(second) <= 10 + 3 + 1
        assert sum(second) <= 5000 + 5000 / 4 + 2000 + 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.02, 0.6), st.floats(0.0, 0.9)), min_size=2, max_size=6))
def test_no_second_of_a_far_side_that_stands_still_now_and_then_has_more_than_it_allows(
    works_and_stands: list[tuple[float, float]],
) -> None:
    """What waited for it comes at once, and is followed by what is sent then. What is beyond its
    limit it drops without a word, and the ones behind it overtake it."""
    pace, now, flying, taken = Pace(), 0.0, 0, []
    for works_s, stands_s in works_and_stands:
        for until, stands in ((now + works_s, False), (now + works_s + stands_s, True)):
            while now < until:
                for _ in range(0 if stands else flying):
                    taken.append(now)
                    pace.answered(now)
                    flying -= 1
                while flying < quotas.WINDOW_MESSAGES and pace.wait_s(now) <= 0:
                    pace.sent(now, 100)
                    flying += 1
                now += 0.01
    most = max((sum(t <= other < t + 1.0 for other in taken) for t in taken), default=0)
    assert most <= quotas.AWS_PUBLISHES_PER_S


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20), st.sampled_from([0x8B, 0x8E, 0x97, 0x89]))
def test_ends_that_speak_of_the_server_never_condemn(times: int, code: int) -> None:
    suspects = Suspects()
    for _ in range(times):
        suspects.closed(by_peer=True, code=code, in_flight=1, key=("e", 1), age_s=0.1)
        suspects.closed(by_peer=False, code=None, in_flight=1, key=("e", 1), age_s=0.1)
    assert not suspects.alone
    assert not suspects.is_poison(("e", 1), "t", 0.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["accepted", "many", "late"]), max_size=30))
def test_a_message_is_condemned_only_after_proofs_alone_and_at_once(history: list[str]) -> None:
    suspects, key = Suspects(), ("e", 1)
    for event in history:
        if event == "accepted":
            suspects.accepted(key)
        elif event == "many":
            suspects.closed(by_peer=True, code=None, in_flight=5, key=key, age_s=0.1)
        else:
            suspects.closed(by_peer=True, code=None, in_flight=1, key=key, age_s=100.0)
    assert not suspects.is_poison(key, "t", 0.0)
    suspects.closed(by_peer=True, code=None, in_flight=2, key=key, age_s=REST_S)
    for _ in range(PROOFS):
        assert not suspects.is_poison(key, "t", 0.0)
        suspects.closed(by_peer=True, code=None, in_flight=1, key=key, age_s=0.1)
    assert suspects.is_poison(key, "t", 0.0)
    assert suspects.is_poison(("e", 2), "t", 1.0), "the topic's others share the verdict"
    assert not suspects.is_poison(("e", 3), "u", 1.0)
