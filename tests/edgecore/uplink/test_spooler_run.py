"""The spooler's loop: when it wakes, how much it takes, what it says while the cloud is away."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from spooling import DEADLINE_S, Remembering, drained, refused, unreachable
from waiting import until

from edgecore.uplink.sinks import Unreachable
from edgecore.uplink.spooler import Spooler


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 2 * DEADLINE_S))


def test_a_spool_that_was_empty_wakes_for_each_message_and_is_still_in_between() -> None:
    async def scenario() -> None:
        spooler, sink, asked = Spooler(None), Remembering(), []
        call = spooler._committer.call

        def counted(function) -> Any:
            asked.append(function)
            return call(function)

        spooler._committer.call = counted  # type: ignore[method-assign]
        task = asyncio.create_task(spooler.run(sink))
        for count in range(1, 21):
            assert await spooler.put("t", b"x")
            await until(lambda count=count: len(sink.messages) == count)
            await until(lambda: not spooler.stats()["spooled"])
        await asyncio.sleep(0.05)
        before = len(asked)
        await asyncio.sleep(0.1)
        assert len(asked) == before, "it asks the store only when there may be something"
        task.cancel()
        await spooler.close()

    run(scenario)


def test_at_most_a_quarter_of_the_quota_is_in_flight(tmp_path: Path) -> None:
    class Measuring(Remembering):
        async def deliver(self, messages):
            batches.append(len(messages))
            return await super().deliver(messages)

    batches: list[int] = []

    async def scenario() -> None:
        spooler = Spooler(tmp_path / "s", max_bytes=262_144)
        await asyncio.gather(*(spooler.put("t", bytes(8000)) for _ in range(17)))
        await drained(spooler, Measuring(max_messages=1000))
        await spooler.close()

    run(scenario)
    assert batches == [8, 8, 1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (unreachable(), "offline"),
        (Unreachable(""), "Unreachable"),
        (RuntimeError("bug"), "bug"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_while_the_cloud_is_away_status_says_why_and_the_log_says_it_once(
    caplog, error: Exception, said: str
) -> None:
    seen: list[dict[str, Any]] = []

    async def scenario() -> None:
        async def sleep(_: float) -> None:
            seen.append(spooler.stats())
            await asyncio.sleep(0)

        spooler = Spooler(None, sleep=sleep)
        await spooler.put("t", b"x")
        await drained(spooler, Remembering(script=[error] * 3))
        await spooler.put("t", b"y")
        await drained(spooler, Remembering(script=[error]))
        seen.append(spooler.stats())
        await spooler.close()

    with caplog.at_level(logging.WARNING):
        run(scenario)
    # Before the wait that follows the first failure, the second …; anew after a delivery.
    assert [stats["last_error"] for stats in seen] == [said] * 4 + [None]
    assert (seen[-1]["failures"], seen[-1]["rescued"]) == (0, 0)
    assert ("cloud sink remembering failed" in caplog.text) == isinstance(error, RuntimeError)
    assert [stats["last_sync"] is None for stats in seen] == [True] * 3 + [False] * 2
    assert caplog.text.count(f"cloud sink remembering is not reachable: {said}") == 2


def test_a_message_that_the_cloud_refuses_for_good_is_named_in_the_log(caplog) -> None:
    async def scenario() -> None:
        spooler = Spooler(None)
        await spooler.put("plant/press", b"x")
        await drained(spooler, Remembering(script=[refused()]))
        await spooler.close()

    run(scenario)
    assert "rejects a message on 'plant/press' permanently: never" in caplog.text
