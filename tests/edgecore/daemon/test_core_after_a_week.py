"""What a core remembers follows no time: after a week it is what it was after six hours.

Real parts of the core in a row, by a clock of the test that goes ten seconds a step: page, charts,
metrics, recent counts, silence, alerts, history. Nobody looks at the page, as in most plants.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_messages import record, status

from edgecore.alerts.alert_states import AlertStates
from edgecore.alerts.judge import Evidence, judge
from edgecore.alerts.rules import Rule
from edgecore.alerts.windows import Windows
from edgecore.core.observers import Message, Observers
from edgecore.core.recent import Recent
from edgecore.history.retention import Limits, Retention
from edgecore.history.rows import rows_of
from edgecore.history.schema import open_for_writing
from edgecore.history.store import Batch, Event, Store
from edgecore.history.timeline import changes
from edgecore.web.dashboard.feed import Feed
from edgecore.web.dashboard.page_model import PageModel
from edgecore.web.dashboard.ports import SiteView
from edgecore.web.metrics.registry import Metrics

T = 1_790_000_000.0
STEP_S, HOUR_S = 10, 3600
FILLED_S = 6 * HOUR_S
"""The longest that charts reach back; alerts count an hour, the rest counts by number."""
CAMERAS = ("cam1", "cam2")
A_STEP = 6
"""Images of a camera: 25,920 of both after six hours, more than any part remembers."""
VIEW = SiteView(site="demo", cameras=CAMERAS, cloud_topic="fanfold/demo/results")
RULE = Rule(name="cracks", when="label_rate", label="crack", above=0.5, window_s=60)


class Core:
    """``step`` with the seconds since its start."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self._dice = random.Random(1)
        self._status: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._done = dict.fromkeys(CAMERAS, 0)
        self.observers, self.recent = Observers(), Recent()
        self.windows, self.states = Windows(), AlertStates()
        self.metrics = Metrics(lambda: self._status)
        self._points: list[tuple[int, list[float]]] = []
        self.page = PageModel(VIEW, self.metrics.observe, self._point)
        self.feed = Feed(self.page, self, dict, lambda: T + self.now)
        connection = open_for_writing(folder / "history.sqlite3", 64 << 20).connection
        self.store, self._retention = Store(connection), Retention(connection)
        self.close = connection.close

    def _point(self, every_s: int, point: list[float]) -> None:
        self._points.append((every_s, point))

    def status(self) -> dict[str, Any]:
        return self._status

    def step(self, now: float) -> None:
        self.now, before = now, self._status
        self._status = self._told()
        messages = list(self._messages())
        for message in messages:
            self.observers.see(message.t, message.topic, message.payload, "")
            self.page.observe(message)
        self.observers.tick(now)
        self.recent.tick(self._status, now)
        self.feed.step()
        rows = [
            row
            for message in messages
            if message.topic.startswith("demo/results/")
            for row in rows_of(message.payload, message.t, frozenset(["crack"]))
        ]
        self.windows.add(rows, now)
        seen = Evidence(status=self._status, windows=self.windows, now=now, started=0.0)
        told = self.states.step([RULE], {RULE.name: judge(RULE, seen)}, now, T + now)
        events = [Event(T + now, "alert", n.rule, n.text) for n in told]
        events += [Event(T + now, *change) for change in changes(before, self._status)]
        points, self._points = self._points, []
        self.store.add(Batch(rows, events, points))
        self._retention.mark(now)
        self._retention.step(now, Limits(30 * 86_400, 64 << 20, 1 << 20, 1 << 20))
        if not now % HOUR_S:
            self.metrics.render()

    def _told(self) -> dict[str, Any]:
        found = status(done=sum(self._done.values()))
        found["functions"][0] |= {"arn": "w0", "restarts": int(self.now // HOUR_S)}
        found["cloud"] = {"link": {"connected": self.now % 7200 < HOUR_S}, "spooled": 3}
        found["stats"]["aggregator"] = {"answered": sum(self._done.values()), "failed": 1}
        return found

    def _messages(self) -> Iterator[Message]:
        yield self._message("demo/heartbeat", {"worker": "w0", "t": self.now})
        yield self._message("demo/stats", {"part": "splitter", "t": self.now})
        yield self._message("demo/jobs", {"id": f"lot-{self.now:.0f}", "images": 12})
        for camera in CAMERAS:
            records = []
            for _ in range(A_STEP):
                number = next(self._numbers)
                yield self._message(
                    f"demo/images/{camera}", {"v": 1, "id": f"i{number}", "file": f"{number}.jpg"}
                )
                self._done[camera] += 1
                records.append(self._record(camera, number))
            yield self._message(f"demo/results/{camera}", {"v": 1, "results": records})
            yield self._message("fanfold/demo/results", {"v": 1, "results": records})

    def _record(self, camera: str, number: int) -> dict[str, Any]:
        label = "crack" if self._dice.random() < 0.02 else "good"
        return record(
            stream=camera, seq=self._done[camera], id=f"i{number}", file=f"{camera}/{number}.jpg",
            job=f"lot-{number // 500}", t_in=T + self.now - self._dice.uniform(0.02, 0.09),
            ms={"queue": self._dice.uniform(0, 9), "inference": self._dice.uniform(10, 50)},
            output={"top": [{"label": label, "score": self._dice.random()}]},
        )  # fmt: skip

    def _message(self, topic: str, body: object) -> Message:
        return Message(t=T + self.now, topic=topic, payload=json.dumps(body).encode())


def blocks() -> int:
    """Of Python's own objects: a figure of the code alone, unlike pages of the process."""
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.parametrize(
    "hours", [9, pytest.param(7 * 24, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_a_core_holds_after_a_week_what_it_held_after_six_hours(tmp_path: Path, hours: int) -> None:
    core, held = Core(tmp_path), []
    for second in range(0, hours * HOUR_S + 1, STEP_S):
        core.step(second)
        if second >= FILLED_S and second % HOUR_S == 0:
            held.append(blocks())
    core.close()
    # New jobs are words that the history knows by heart (20,000 at most), and so are the labels of
    # half an hour (4,096): 60 objects an hour. One more at each step would be 360.
    allowed = (200 + 100 * hour for hour in range(len(held)))
    assert all(now - held[0] <= most for now, most in zip(held, allowed, strict=True)), held
