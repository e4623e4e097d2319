"""Where a site's results land (docs/spec/cloud-results.md). The stack makes what this names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from infra.planning.site import Site

BUCKET_CHARS = 63  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsStore:
    """The bucket and the prefixes of one site, each ending in a slash.

    `created`: the site's stack makes and keeps the bucket; else it exists already.
    `outbox_prefix` is None where there is no outbox, or where it has a bucket of its own.
    """

    bucket: str
    region: str
    created: bool
    keep_days: int
    batches_prefix: str
    jobs_prefix: str
    outbox_prefix: str | None


def store_of(site: Site) -> ResultsStore | None:
    """The results store of a site; None where nothing of it goes there."""
    cloud = site.cloud
    outbox = cloud.outbox if cloud.outbox and cloud.outbox.bucket is None else None
    if cloud.store is None or not (cloud.mqtt or outbox):
        return None
    return ResultsStore(
        bucket=cloud.store.bucket or bucket_name(site),
        region=site.region,
        created=cloud.store.bucket is None,
        keep_days=cloud.store.keep_days,
        batches_prefix=f"batches/site={site.name}/",
        jobs_prefix=f"jobs/site={site.name}/",
        outbox_prefix=f"{outbox.prefix}/site={site.name}/" if outbox else None,
    )


def outbox_bucket(site: Site) -> str:
    """Where the aggregator's outbox writes: a bucket of its own, or the site's store."""
    if site.cloud.outbox is None:
        return ""
    store = store_of(site)
    return site.cloud.outbox.bucket or (store.bucket if store else "")


def bucket_name(site: Site) -> str:
    """The same at every render: the Lambdas know it, and a later stack finds its data again."""
    return bucket_name_of(site.name, site.account, site.region)


def bucket_name_of(site: str, account: str, region: str, use: str = "") -> str:
    """Of a site, within S3's length; `use`: what it is for, where it holds no results."""
    prefix, tail = f"fanfold-{use}-" if use else "fanfold-", f"-{account}-{region}"
    whole = f"{prefix}{site}{tail}"
    if len(whole) <= BUCKET_CHARS:
        return whole
    digest = hashlib.sha256(site.encode()).hexdigest()[:8]
    room = BUCKET_CHARS - len(f"{prefix}-{digest}{tail}")
    return f"{prefix}{site[:room].rstrip('-')}-{digest}{tail}"
