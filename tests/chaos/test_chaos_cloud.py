"""Days without the cloud, a link that flaps, a far side that is read back: all arrives once."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from chaos_cloud import OUTBOX, FarSide
from chaos_oracle import judge
from chaos_plant import SOAK, Plant, Report
from chaos_uplink import numbers, publish, uplink

RESULT_BYTES = 1_000


@pytest.mark.parametrize("results", [2_000, pytest.param(518_400, marks=SOAK)])
def test_what_came_in_days_without_the_cloud_drains_complete_and_in_order(
    tmp_path: Path, write_note: Callable[..., None], results: int
) -> None:
    """518,400 are 72 hours at 2 a second."""
    core = uplink(tmp_path)
    core.start({"cloud": {"down": [[0, 86_400]]}})
    publish(core, 0, results // 10, RESULT_BYTES, deadline_s=600)
    early_kb = core.rss_kb()
    publish(core, results // 10, results - results // 10, RESULT_BYTES, deadline_s=1_200)
    growth_kb = core.rss_kb() - early_kb
    offline = core.status()["cloud"]
    assert (offline["spooled"], offline["dropped"]) == (results, 0)
    disk_bytes = sum(path.stat().st_size for path in core.state.glob("spool.sqlite3*"))

    core.kill()
    # From the start of the process: it delivers before it is ready.
    drained_s = core.start()
    drained_s += core.until(lambda status: status["cloud"]["spooled"] == 0, deadline_s=900)
    drain_kb = core.rss_kb()
    core.stop()

    arrived = numbers(core)
    assert growth_kb < 50_000
    write_note(
        "cloud away while results come, core killed, cloud back",
        images=results,
        lost=results - len(set(arrived)),
        duplicates=len(arrived) - len(set(arrived)),
        out_of_order=sum(b <= a for a, b in pairwise(arrived)),
        notes={
            "rss_growth_kb": growth_kb,
            "rss_drained_kb": drain_kb,
            "disk_bytes": disk_bytes,
            "drained_messages_per_s": round(results / max(drained_s, 0.05)),
            "times_real_time_of_2_per_s": round(results / max(drained_s, 0.05) / 2),
        },
    )


def test_mqtt_and_s3_of_the_cloud_have_every_result_once_when_the_aggregator_is_killed(
    make_plant: Callable[..., Plant], far_side: FarSide, report: Report
) -> None:
    plant = make_plant(cloud={"batch_s": 0.2, "outbox": {"bucket": OUTBOX, "every_s": 0.3}})
    plant.use_cloud(far_side, deploys=False)
    kills = [{"function": "aggregator", "kill_at_s": [3, 5]}]
    plant.start({"seed": 10, "functions": kills, "cloud": {"ack_lost": 0.2}})
    plant.send(300)
    plant.flow(lambda: plant.strikes() >= 2)
    report("S3 outbox and IoT read back, aggregator killed, acks lost", plant, runs=2)

    wanted = {(r["stream"], r["seq"]) for r in plant.records()}
    plant.core.until(lambda _: len(_keys(far_side)) >= len(wanted))
    assert sorted(_keys(far_side)) == sorted(wanted), "each record in one object, once"
    stored = [record for records in far_side.objects().values() for record in records]
    assert judge(plant.sent, stored).clean


def _keys(far_side: FarSide) -> list[tuple[str, int]]:
    return [(r["stream"], r["seq"]) for records in far_side.objects().values() for r in records]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_five_hundred_cuts_of_the_link_lose_and_repeat_nothing(
    plant: Plant, report: Report
) -> None:
    plant.start({"seed": 12, "cloud": {"flapping": {"up_s": 0.6, "down_s": 0.4}, "ack_lost": 0.2}})
    began = time.monotonic()
    while time.monotonic() - began < 500:
        plant.send(20)
    report("500 cuts of the link, acknowledgements lost", plant, runs=500)
