"""Waiting for the far side: no longer than a time, and in a thread that nobody else needs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def since_boot_s() -> float:
    """A clock that nobody sets, and that a sleeping device does not stop."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def set_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether the event was set in time. ``asyncio.wait_for`` of Python 3.10 and 3.11 swallows a
    cancellation that comes in the same turn as the event; this does not."""
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiter}, timeout=timeout_s)
    finally:
        waiter.cancel()
    return event.is_set()


def in_own_thread(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """What ``work`` returns or raises. The loop's own threads are few, supervision needs them, and
    a core that ends waits for them: none of them may hang on a slow network."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done
