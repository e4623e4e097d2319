"""What a plan will do in a day and what that costs, with everything it assumes.

An estimate, not a promise: stage times are the model package's, measured on one thread; prices are
us-east-1's list prices and carry their date.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from contract.limits import MESSAGE_BYTES
from infra.planning.fields import StageTimes
from infra.planning.model import Plan
from infra.planning.monitoring import METRICS, REPORTING_PARTS, alarm_count
from infra.planning.storage import store_of

SECONDS_PER_DAY = 86_400
# One record of an ordered result as JSON: five labels with scores, or a handful of boxes.
RESULT_BYTES = 600
# AWS IoT counts a message in units of 5 KB (https://aws.amazon.com/iot-core/pricing/).
METERED_BYTES = 5 * 1024
PRICES_OF = "2026-11"
USD_PER_MILLION_MESSAGES = 1.00
USD_PER_THOUSAND_PUTS = 0.005
# CPU of one image in core, splitter, aggregator and worker beside its transform and its network:
# what eight simulated GPUs cost at 200 images/s, 0.4 MB each, less the transform (2.8 and 3.0 ms in
# two runs of `bench.asked`, AMD EPYC, two idle cores, 2026-11-30; about 3 ms on a Xeon before).
PATH_MS = 2.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Per second and per day. `images_per_s` None: the footprint has no times."""

    images_per_s: float | None
    bottleneck: str
    images_per_day: int
    messages_per_day: int
    metered_messages_per_day: int
    reports_per_day: int
    s3_objects_per_day: int
    s3_bytes_per_day: int
    s3_bytes_kept: int | None
    cloudwatch_metrics: int
    cloudwatch_alarms: int
    usd_per_month: float
    assumptions: tuple[str, ...]


def estimate(plan: Plan, path_ms: float = PATH_MS) -> Estimate:
    """Capacity from the footprint, traffic from the site's `load` or, without one, capacity."""
    rate, bottleneck = capacity(plan, path_ms)
    images = _images_per_day(plan, rate)
    cloud = plan.site.cloud
    batches = _batches(images, cloud.batch_s) if cloud.mqtt else 0
    reports = _reports(plan)
    metered = max(batches, math.ceil(images * RESULT_BYTES / METERED_BYTES)) if batches else 0
    messages, metered = batches + reports, metered + reports
    store = store_of(plan.site)
    copies = bool(store and batches) + bool(cloud.outbox)
    objects = (batches if store else 0) + _outbox_objects(plan, images)
    stored = images * RESULT_BYTES * copies
    monitor = cloud.monitor if reports else None
    usd = metered / 1e6 * USD_PER_MILLION_MESSAGES + objects / 1e3 * USD_PER_THOUSAND_PUTS
    return Estimate(
        images_per_s=rate,
        bottleneck=bottleneck,
        images_per_day=images,
        messages_per_day=messages,
        metered_messages_per_day=metered,
        reports_per_day=reports,
        s3_objects_per_day=objects,
        s3_bytes_per_day=stored,
        s3_bytes_kept=stored * store.keep_days if store and store.created else None,
        cloudwatch_metrics=len(METRICS) if monitor else 0,
        cloudwatch_alarms=alarm_count(monitor) if monitor else 0,
        usd_per_month=round(usd * 30, 2),
        assumptions=_assumptions(plan),
    )


def _reports(plan: Plan) -> int:
    cloud = plan.site.cloud
    if not (cloud.mqtt and cloud.monitor):
        return 0
    return REPORTING_PARTS * SECONDS_PER_DAY // cloud.monitor.every_s


def _outbox_objects(plan: Plan, images: int) -> int:
    """One per stream and interval, or fewer where fewer images come."""
    outbox = plan.site.cloud.outbox
    if outbox is None:
        return 0
    intervals = math.ceil(SECONDS_PER_DAY / outbox.every_s)
    return min(images, intervals * len(plan.site.cameras))


def capacity(plan: Plan, path_ms: float = PATH_MS) -> tuple[float | None, str]:
    """Images per second, and what limits them. `path_ms`: CPU of an image around its stages."""
    footprint = plan.footprint
    if footprint is None or footprint.ms is None:
        return None, "the footprint has no times"
    stages = (_gpu_stages if plan.profile.accelerators else _cpu_stages)(plan, footprint.ms)
    # Reserved cores are those of the core, the splitter and the aggregator: their work counts here.
    cpu_ms = footprint.ms.transform + path_ms
    if not plan.profile.accelerators:
        cpu_ms += _network_ms(plan, footprint.ms)
    cores = plan.profile.cpu_cores
    stages[f"{cores} cores"] = cores * 1000 / cpu_ms
    slowest = min(stages, key=lambda name: stages[name])
    return round(stages[slowest], 1), slowest


def _gpu_stages(plan: Plan, ms: StageTimes) -> dict[str, float]:
    """Transform and network overlap, so the slower stage decides."""
    # Copies on one GPU take turns: they hide the transform, the GPU's own rate stays.
    busy = Counter(gpu for worker in plan.workers for gpu in worker.gpus)
    transforms = len(plan.by_role("transform")) or plan.copies
    cores = min(transforms, plan.profile.usable_cores)
    return {
        f"{len(busy)} GPUs": len(busy) * 1000 / ms.inference,
        f"{cores} cores for the transform": cores * 1000 / ms.transform,
    }


def _cpu_stages(plan: Plan, ms: StageTimes) -> dict[str, float]:
    """A worker decodes the next image while its network runs, on a core that is free. Threads of
    one network scale a little worse than processes (1.90 against 1.97 for two), which is left
    out."""
    networks, network_ms = _networks(plan), _network_ms(plan, ms)
    if plan.site.strategy == "on_demand":  # one batch at a time in each container
        return {f"{networks} containers": networks * 1000 / (ms.transform + network_ms)}
    stages = {f"{plan.copies} workers": networks * 1000 / network_ms}
    if transforms := len(plan.by_role("transform")):
        stages[f"{transforms} transforms"] = transforms * 1000 / ms.transform
    return stages


def _networks(plan: Plan) -> int:
    """Cores that networks keep busy."""
    return min(plan.copies * plan.workers[0].threads, plan.profile.cpu_cores)


def _network_ms(plan: Plan, ms: StageTimes) -> float:
    """Between what a copy takes alone and what it takes with one on every core."""
    others = plan.profile.cpu_cores - 1
    if ms.inference_beside is None or not others:
        return ms.inference
    return ms.inference + (ms.inference_beside - ms.inference) * (_networks(plan) - 1) / others


def _images_per_day(plan: Plan, rate: float | None) -> int:
    if plan.site.load is not None:
        return plan.site.load.images_per_day
    return int((rate or 0) * SECONDS_PER_DAY)


def _batches(images: int, batch_s: float) -> int:
    """A batch leaves when it is full or old: the more frequent of the two, at most one each."""
    full = math.ceil(images * RESULT_BYTES / MESSAGE_BYTES.value)
    by_age = math.ceil(SECONDS_PER_DAY / batch_s)
    return min(images, max(full, by_age))


def _assumptions(plan: Plan) -> tuple[str, ...]:
    load = "site: load" if plan.site.load else "full capacity all day, as the site declares no load"
    return (
        f"images per day: {load}, spread evenly",
        f"{RESULT_BYTES} bytes per result",
        "an S3 object per batch: ten times cloud.batch_s gives a tenth of them at low load",
        "stage times of the footprint, measured on one thread, "
        f"and {PATH_MS} ms of CPU an image for everything around them",
        f"list prices of us-east-1, {PRICES_OF}: {USD_PER_MILLION_MESSAGES:.2f} USD per million "
        f"messages of 5 KB, {USD_PER_THOUSAND_PUTS} USD per thousand S3 PUTs; not counted: "
        "storage, rule executions, CloudWatch, connection minutes",
    )
