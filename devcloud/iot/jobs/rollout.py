"""How many things may hear of a job now: constant and exponential rates. Pure."""

from __future__ import annotations

from devcloud.iot.jobs.model import SUCCEEDED, Job

DEFAULT_PER_MINUTE = 1000.0
"""AWS's own highest rate, and what a job without a rollout gets."""


def rate_per_minute(job: Job) -> float:
    """The present rate; an exponential one grows with things notified or succeeded."""
    highest = float(job.rollout.get("maximumPerMinute") or DEFAULT_PER_MINUTE)
    growing = job.rollout.get("exponentialRate")
    if not growing:
        return highest
    criteria = growing["rateIncreaseCriteria"]
    if step := criteria.get("numberOfNotifiedThings"):
        reached = len(job.notified) // int(step)
    else:
        reached = job.count(SUCCEEDED) // int(criteria["numberOfSucceededThings"])
    rate = float(growing["baseRatePerMinute"]) * float(growing["incrementFactor"]) ** reached
    return min(highest, rate)


def allowed_now(job: Job, now: float, minute_s: float) -> int:
    """How many further things may be notified: the rate, less what the last minute has seen."""
    recent = sum(at > now - minute_s for at in job.notified)
    return max(0, int(rate_per_minute(job)) - recent)


def next_at(job: Job, now: float, minute_s: float) -> float:
    """When the next thing may be notified."""
    recent = [at for at in job.notified if at > now - minute_s]
    return (min(recent) if recent else now) + minute_s
