"""What a replay costs: machines by the hour, and S3 by the request. Pure."""

from __future__ import annotations

from typing import NamedTuple

#: US dollars per 1,000 requests, S3 Standard in us-east-1 (aws.amazon.com/s3/pricing).
GET_USD, PUT_OR_LIST_USD = 0.0004, 0.005
LISTED_AT_ONCE = 1000


class Work(NamedTuple):
    images: int
    shards: int
    from_s3: bool
    to_s3: bool


class Cost(NamedTuple):
    hours: float
    machines_usd: float
    requests_usd: float

    @property
    def usd(self) -> float:
        return self.machines_usd + self.requests_usd


def cost(work: Work, images_per_s: float, usd_per_hour: float) -> Cost:
    """At `images_per_s` of all machines, which cost `usd_per_hour` together."""
    hours = work.images / images_per_s / 3600 if images_per_s > 0 else 0.0
    requests = 0.0
    if work.from_s3:
        lists = -(-work.images // LISTED_AT_ONCE)
        requests += (work.images * GET_USD + lists * PUT_OR_LIST_USD) / 1000
    if work.to_s3:  # per shard: is it there, write it, read it to join
        requests += work.shards * (PUT_OR_LIST_USD + 2 * GET_USD) / 1000
    return Cost(hours, hours * usd_per_hour, requests)
