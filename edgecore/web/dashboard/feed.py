"""Server-sent events: one snapshot computed for all browsers, only changed sections sent."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from contract.status import Status
from edgecore.web.dashboard.page_model import PageModel
from edgecore.web.dashboard.ports import StatusProvider

INTERVAL_S = 0.5
"""Twice a second, so that the page is less than a second behind."""
MAX_BROWSERS = 32
MAX_QUEUED = 8
"""Four seconds; a browser further behind gets a whole snapshot instead of what it missed."""
KEEPALIVE_S = 15.0
_END = b""


class TooManyBrowsersError(Exception):
    """All ``MAX_BROWSERS`` streams are taken."""


class Feed:
    """Ticks the page_model and sends what changed. ``run`` it beside the server."""

    def __init__(
        self,
        page_model: PageModel,
        provider: StatusProvider,
        hello: Callable[[], Mapping[str, Any]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._page_model = page_model
        self._provider = provider
        self._clock = clock
        self._hello = hello
        self._boot = uuid.uuid4().hex[:12]
        self._browsers: set[asyncio.Queue[bytes]] = set()
        self._sent: dict[str, str] = {}
        self._points_sent = 0

    @property
    def watched(self) -> bool:
        return bool(self._browsers)

    async def run(self) -> None:
        """Until cancelled; then every browser's stream ends, so that the server can stop."""
        try:
            while True:
                self.step()
                await asyncio.sleep(INTERVAL_S)
        finally:
            for browser in self._browsers:
                _empty(browser)
                browser.put_nowait(_END)

    def greet(self) -> None:
        """Send ``hello`` again: another group runs."""
        for browser in self._browsers:
            self._offer(browser, self._greeting())

    def _greeting(self) -> bytes:
        return _event("hello", _dump({**self._hello(), "boot": self._boot}))

    def step(self) -> None:
        """One tick; cheap while nobody looks."""
        now = self._clock()
        status = self._provider.status()
        self._page_model.tick(status, now)
        history = self._page_model.history
        points = history.fine(behind=self._points_sent)
        self._points_sent = history.fine_written
        if not self._browsers:
            self._sent = {}
            return
        encoded = self._encode(status, now)
        changed = {name: text for name, text in encoded.items() if self._sent.get(name) != text}
        self._sent = encoded
        event = _event("state", _object({**changed, "t": json.dumps(now), "points": _dump(points)}))
        for browser in self._browsers:
            self._offer(browser, event)

    def _encode(self, status: Status, now: float) -> dict[str, str]:
        return {name: _dump(x) for name, x in self._page_model.sections(status, now).items()}

    def _offer(self, browser: asyncio.Queue[bytes], event: bytes) -> None:
        if browser.full():
            _empty(browser)
            event = self._greeting() + self._whole()
        browser.put_nowait(event)

    def _whole(self) -> bytes:
        sections = self._sent or self._encode(self._provider.status(), self._clock())
        return _event("state", _object({**sections, "t": json.dumps(self._clock())}))

    async def stream(self) -> AsyncIterator[bytes]:
        """A browser's events until it goes away. Raises TooManyBrowsersError at the start."""
        if len(self._browsers) >= MAX_BROWSERS:
            raise TooManyBrowsersError(
                f"{MAX_BROWSERS} browsers are connected to this core already"
            )
        queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        self._browsers.add(queue)
        try:
            yield b"retry: 1000\n" + self._greeting()
            yield self._whole()
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), KEEPALIVE_S)
                except asyncio.TimeoutError:
                    event = b": still here\n\n"
                if event is _END:
                    return
                yield event
        finally:
            self._browsers.discard(queue)


def _empty(queue: asyncio.Queue[bytes]) -> None:
    while not queue.empty():
        queue.get_nowait()


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def _object(encoded: Mapping[str, str]) -> str:
    """An object of values that are JSON already: a section is encoded once, not per browser."""
    return "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in encoded.items()) + "}"


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
