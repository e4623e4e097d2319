"""`fanfold results --from cloud`: which bucket, with a bar, and what goes wrong as a sentence."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fanfold.cloud.access import explained, reach
from fanfold.cloud.landed import Record, Wanted, collect, keys, since_of
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.common.project import read_site
from infra.planning import Site, store_of


@dataclass(frozen=True)
class Place:
    """Whose results, and where: `outbox` is what the aggregator uploaded itself."""

    site: str
    bucket: str | None
    outbox: bool
    aws: bool


def read_landed(
    place: Place, *, stream: str | None, job: str | None, since: str | None
) -> list[Record]:
    """Every record once, each stream in order. Raises UserError."""
    settings, _ = read_site(place.site)
    access = reach(settings.region, aws=place.aws)
    try:
        wanted = Wanted(stream, job, since_of(since, time.time()) if since else None)
    except ValueError as error:
        raise UserError(
            f"--since {since}: {error}. Give 90s, 15m, 2h, 7d, or a time such as 2026-11-25T14:00",
            INVALID,
        ) from error
    bucket, prefix = _where(settings, place)
    client = access.client("s3")
    subject = f"results of {settings.name} in s3://{bucket}/{prefix}"
    with explained(access, subject, _REMEDY):
        found = list(keys(client, bucket, prefix, None if place.outbox else wanted.since))
        if place.outbox:
            found = [key for key in found if key.endswith(".jsonl")]
        with output.progress() as bar:
            task = bar.add_task("reading", total=len(found))
            try:
                collected = collect(client, bucket, found, wanted, lambda: bar.advance(task))
            except ValueError as error:
                raise UserError(str(error), FAILED) from error
    records = collected.ordered()
    output.note(
        f"{len(records)} records from {len(found)} objects of s3://{bucket}/{prefix}"
        + (f"; {collected.repeated} were duplicates" if collected.repeated else "")
    )
    return records


_REMEDY = (
    "Check the bucket's name (--bucket) and your permission for s3:GetObject and s3:ListBucket."
)


def _where(site: Site, place: Place) -> tuple[str, str]:
    """Bucket and prefix: the site's, or what was asked for."""
    if place.outbox:
        return _outbox(site, place)
    prefix = f"batches/site={site.name}/"
    return place.bucket or _store(site), prefix


def _store(site: Site) -> str:
    """The same whether the stack is there, is gone, or was never made."""
    store = store_of(site)
    if store is None:
        raise UserError(
            f"{site.name}: its results are not stored in a bucket (`cloud` in its file). Pass a "
            "bucket with --bucket",
            INVALID,
        )
    return store.bucket


def _outbox(site: Site, place: Place) -> tuple[str, str]:
    outbox = site.cloud.outbox
    if outbox is None:
        raise UserError(
            f"{site.name}: has no outbox (`cloud.outbox` of its file), use --from cloud", INVALID
        )
    base = f"{outbox.prefix.strip('/')}/" if outbox.prefix.strip("/") else ""
    return place.bucket or outbox.bucket or _store(site), f"{base}site={site.name}/"
