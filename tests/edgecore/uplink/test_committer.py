"""The committer's groups, seen by a store that writes down what it is given."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from edgecore.uplink.committer import MAX_GROUP, MAX_GROUP_BYTES, Committer

DEADLINE_S = 20.0


class Writing:
    """Holds its first commit until `go`, so that what is asked meanwhile forms groups."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.groups: list[list[Any]] = []
        self.fails: Exception | None = None

    def commit(self, rows: Sequence[tuple[str, bytes]]) -> list[str | None]:
        self.began.set()
        assert self.go.wait(DEADLINE_S)
        self.groups.append([payload for _, payload in rows])
        if self.fails:
            raise self.fails
        return ["refused" if payload == b"no" else None for _, payload in rows]


def committed(ask: Callable[[Writing, Committer], list[Awaitable[Any]]]) -> tuple[Writing, list]:
    """What came of everything that was asked while the first commit ran."""

    async def run() -> tuple[Writing, list]:
        store = Writing()
        committer = Committer(store)  # type: ignore[arg-type]
        first = committer.put("t", b"first")
        assert await asyncio.to_thread(store.began.wait, DEADLINE_S)
        asked = ask(store, committer)
        store.go.set()
        async with asyncio.timeout(DEADLINE_S):
            assert await first is None
            found = await asyncio.gather(*asked, return_exceptions=True)
            await asyncio.to_thread(committer.close)
        assert store.groups.pop(0) == [b"first"]
        return store, found

    return asyncio.run(run())


def test_each_of_a_group_gets_its_own_answer() -> None:
    payloads = [b"1", b"no", b"3"]
    store, answers = committed(lambda _, c: [c.put("t", p) for p in payloads])
    assert store.groups == [payloads]
    assert answers == [None, "refused", None]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (MAX_GROUP, [MAX_GROUP]),
        (MAX_GROUP + 1, [MAX_GROUP, 1]),
        (2 * MAX_GROUP + 3, [MAX_GROUP, MAX_GROUP, 3]),
    ],
)
def test_a_group_has_its_largest_number(count: int, sizes: list[int]) -> None:
    store, _ = committed(lambda _, c: [c.put("t", b"x") for _ in range(count)])
    assert [len(group) for group in store.groups] == sizes
    assert (MAX_GROUP, MAX_GROUP_BYTES) == (512, 262_144)


@pytest.mark.parametrize(("more", "sizes"), [(-1, [3]), (0, [2, 1])])
def test_a_group_ends_with_the_message_that_fills_it(more: int, sizes: list[int]) -> None:
    half = bytes(MAX_GROUP_BYTES // 2)
    payloads = [half, bytes(len(half) + more), b"x"]
    store, _ = committed(lambda _, c: [c.put("t", p) for p in payloads])
    assert [len(group) for group in store.groups] == sizes


def test_a_call_runs_after_the_puts_asked_before_it_and_before_those_after() -> None:
    def ask(store: Writing, committer: Committer) -> list[Awaitable[Any]]:
        return [
            committer.put("t", b"1"),
            committer.call(lambda: len(store.groups)),
            committer.call(lambda: "again"),
            committer.put("t", b"2"),
        ]

    store, answers = committed(ask)
    assert store.groups == [[b"1"], [b"2"]]
    assert answers == [None, 2, "again", None], "the first commit, and that of what came before"


def test_an_error_goes_to_everybody_who_asked_and_the_thread_goes_on() -> None:
    error = OSError("disk")

    def ask(store: Writing, committer: Committer) -> list[Awaitable[Any]]:
        def fail() -> None:
            store.fails = error

        def works() -> None:
            store.fails = None

        return [
            committer.call(fail), committer.put("t", b"1"), committer.put("t", b"2"),
            committer.call(works), committer.put("t", b"3"), committer.call(lambda: 1 // 0),
        ]  # fmt: skip

    _, answers = committed(ask)
    assert answers[:5] == [None, error, error, None, None]
    assert isinstance(answers[5], ZeroDivisionError)


def test_who_no_longer_waits_takes_nobody_elses_answer() -> None:
    def ask(_: Writing, committer: Committer) -> list[Awaitable[Any]]:
        asked = [committer.put("t", p) for p in (b"1", b"no", b"no")]
        asked[0].cancel()
        return asked

    store, answers = committed(ask)
    assert store.groups == [[b"1", b"no", b"no"]]
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == ["refused", "refused"]


def test_closing_finishes_what_was_asked_and_waits_for_nobody_who_has_gone() -> None:
    store = Writing()

    async def ask() -> Committer:
        committer = Committer(store)  # type: ignore[arg-type]
        for payload in (b"1", b"2"):
            committer.put("t", payload)
        assert await asyncio.to_thread(store.began.wait, DEADLINE_S)
        return committer

    committer = asyncio.run(ask())  # its loop is closed
    closing = threading.Thread(target=committer.close, daemon=True)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive(), "the first commit has not ended"
    store.go.set()
    closing.join(DEADLINE_S)
    assert not closing.is_alive()
    assert [payload for group in store.groups for payload in group] == [b"1", b"2"]
    assert not committer._thread.is_alive()
    assert committer._thread.daemon
