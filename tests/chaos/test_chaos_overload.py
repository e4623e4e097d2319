"""More images than the workers can do: the sender is told, memory is flat, drops are counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chaos_core import CoreProcess
from chaos_plant import Plant, Report
from every import every

from bench.machine import pss_kb

LIMIT = 200
IMAGES, DROPPING_IMAGES = 900, 500


def memory_kb(core: CoreProcess) -> int:
    """Core, splitter and aggregator together."""
    pids = [f["pid"] for name, f in core.functions().items() if name in ("splitter", "aggregator")]
    assert core.process is not None
    return pss_kb([core.process.pid, *pids])


def test_a_full_backlog_says_busy_and_when_to_come_again_and_nothing_grows(
    make_plant: Callable[..., Plant], report: Report
) -> None:
    plant = make_plant(wait_ms=5, backlog={"max_images": LIMIT, "policy": "reject"})
    plant.start()
    plant.send(LIMIT)
    before_kb = memory_kb(plant.core)
    backlog: list[int] = []
    plant.send(
        IMAGES,
        window=IMAGES,
        halfway=lambda: backlog.append(plant.core.status()["stats"]["splitter"]["backlog"]),
    )
    plant.notes["memory_growth_kb"] = memory_kb(plant.core) - before_kb
    assert backlog[0] <= LIMIT
    assert plant.busy
    assert every(0.5 <= answer["retry_after_s"] <= 30 for answer in plant.busy)
    assert plant.core.status()["router"]["work_items"] <= 1024
    assert plant.notes["memory_growth_kb"] < 20_000
    plant.notes["busy"] = len(plant.busy)
    report("overload, policy reject", plant)


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_what_a_quota_drops_has_a_record_and_is_counted_by_reason(
    make_plant: Callable[..., Plant], report: Report, policy: str
) -> None:
    plant = make_plant(wait_ms=5, backlog={"max_images": LIMIT, "policy": policy})
    plant.start()
    plant.send(DROPPING_IMAGES, window=DROPPING_IMAGES)
    plant.verdict()
    dropped = [r for r in plant.records() if r["status"] == "dropped"]
    assert dropped
    reason = policy.replace("drop_", "quota_")
    assert {r["reason"] for r in dropped} == {reason}
    plant.notes["dropped"] = len({(r["stream"], r["seq"]) for r in dropped})
    counted = {reason: plant.notes["dropped"]}
    plant.core.until(lambda status: status["stats"]["aggregator"]["dropped"] == counted)
    report(f"overload, policy {policy}", plant)
