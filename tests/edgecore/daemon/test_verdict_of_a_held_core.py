"""The verdict's situations made real in which a process lives and does nothing, or too little."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from alert_peers import Hook
from held import held
from real_core import RealCore

from edgecore.core.verdict.images import UNANSWERED_S
from edgecore.supervisor.procstate import contained
from fanfold.device.interpreters import device_python

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]
WORKER_S = 20
HOOKS = '''
import os, time

def postprocess(outputs):
    """A model that finishes no image while the file `waits` is there."""
    while os.path.exists({waits!r}):
        time.sleep(0.1)
    return {{"top": [{{"label": "part", "index": 0, "score": 0.9}}]}}
'''


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook(500)
    yield made
    made.close()


@pytest.fixture(scope="module")
def hall(hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    parts = {"name": "parts", "when": "label_seen", "label": "part"}
    core.write(
        timeouts={"worker_s": WORKER_S},
        alerts={"rules": [parts], "to": {"webhook": {"url": hook.url}}},
    )
    hooks = HOOKS.format(waits=str(core.folder / "waits"))
    (core.folder / "sites/hall_hooks.py").write_text(hooks)
    core.start()
    yield core
    core.stop()


def reasons(hall: RealCore) -> dict[str, dict[str, Any]]:
    return {reason["code"]: reason for reason in hall.status()["verdict"]["reasons"]}


def says(hall: RealCore, code: str, level: str) -> dict[str, Any]:
    """The reason, once the core has it, at this level."""

    def found() -> Any:
        reason = reasons(hall).get(code)
        return reason and reason["level"] == level and reason

    return hall.eventually(found, f"{level} with {code}")


def well(hall: RealCore) -> None:
    hall.eventually(lambda: hall.status()["verdict"]["state"] == "ok", "well again")


def process(hall: RealCore, name: str) -> int:
    """Of the function itself, in whatever container it is."""
    pid = hall.function(name)["pid"]
    return next(iter(contained(pid)), pid)


def test_calls_that_do_not_arrive_are_said_until_they_do(hall: RealCore, hook: Hook) -> None:
    hall.send(job="calls")
    reason = says(hall, "alerts_not_sent", "degraded")
    hook.answers = [200]

    assert reason["subject"] == "alerts by webhook"
    assert "500" in reason["problem"]
    well(hall)


def test_an_aggregator_that_lives_and_does_nothing_is_silent_to_the_splitter_then_to_all(
    hall: RealCore,
) -> None:
    """One cause is one reason: what everybody misses is not said of the splitter as well."""
    with held(process(hall, "aggregator")):
        reason = says(hall, "aggregator_silent", "down")
        assert "does not answer the splitter" in reason["problem"]
        assert hall.ask("/ready")[0] == 503
        assert says(hall, "part_silent", "down")["subject"] == "aggregator"
        assert "aggregator_silent" not in reasons(hall)
    well(hall)


def test_a_splitter_that_no_aggregator_agrees_with_takes_no_image_and_says_so(
    hall: RealCore,
) -> None:
    with held(process(hall, "aggregator")):
        os.kill(hall.function("splitter")["pid"], signal.SIGKILL)
        assert "has not agreed" in says(hall, "aggregator_silent", "down")["problem"]
    well(hall)


def test_a_worker_that_can_open_no_file_gets_no_work_and_the_other_does_it(hall: RealCore) -> None:
    pid = process(hall, "w0")
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        hall.send(job="few-files")
        reason = says(hall, "worker_not_ready", "degraded")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    assert reason["subject"] == "worker w0"
    assert "cannot read images and gets no work: " in reason["problem"]
    well(hall)


def test_a_model_that_needs_longer_than_the_site_allows_is_said_while_images_wait(
    hall: RealCore,
) -> None:
    (hall.folder / "waits").touch()
    try:
        hall.fanfold("send", "photos", "--site", "hall", "--camera", "left", ok=(0, 1))
        reason = says(hall, "slow_results", "degraded")
    finally:
        (hall.folder / "waits").unlink()

    assert f"one image may take {WORKER_S} s" in reason["problem"]
    assert hall.status()["recent"]["unanswered_s"] >= UNANSWERED_S
    hall.eventually(lambda: "slow_results" not in reasons(hall), "images are finished again")
