"""Waiting for an event no longer than a time. ``asyncio.wait_for`` of Python 3.10 and 3.11
swallows a cancellation that comes in the same turn as the event; this does not."""

from __future__ import annotations

import asyncio


async def set_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether the event was set in time."""
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiter}, timeout=timeout_s)
    finally:
        waiter.cancel()
    return event.is_set()
