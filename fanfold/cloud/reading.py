"""`fanfold results --from cloud`: which bucket, with a bar, and what goes wrong as a sentence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fanfold.cloud.access import explained, reach
from fanfold.cloud.landed import Record, Wanted, collect, keys, since_of
from fanfold.common import output
from fanfold.common.boxes import boxes_named
from fanfold.common.errors import FAILED, INVALID, UserError
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
    boxes = boxes_named(place.site)
    settings = boxes[0]
    access = reach(settings.region, aws=place.aws)
    try:
        wanted = Wanted(stream, job, since_of(since, time.time()) if since else None)
    except ValueError as error:
        raise UserError(
            f"--since {since}: {error}. Give 90s, 15m, 2h, 7d, or a time such as 2026-11-25T14:00",
            INVALID,
        ) from error
    bucket, prefixes = _where(boxes, place)
    client = access.client("s3")
    folders = ", ".join(f"s3://{bucket}/{prefix}" for prefix in prefixes)
    subject = f"results of {settings.name} in {folders}"
    with explained(access, subject, _REMEDY):
        first = None if place.outbox else wanted.since
        found = [key for prefix in prefixes for key in keys(client, bucket, prefix, first)]
        if place.outbox:
            found = [key for key in found if key.endswith(".jsonl")]
        with output.progress() as bar:
            task = bar.add_task("reading", total=len(found))
            try:
                collected = collect(client, bucket, found, wanted, lambda: bar.advance(task))
            except ValueError as error:
                raise UserError(str(error), FAILED) from error
    records = collected.ordered(boxes=len(prefixes))
    output.note(
        f"{len(records)} records from {len(found)} objects of {folders}"
        + (f"; {collected.repeated} were duplicates" if collected.repeated else "")
    )
    return records


_REMEDY = (
    "Check the bucket's name (--bucket) and your permission for s3:GetObject and s3:ListBucket."
)


def _where(boxes: Sequence[Site], place: Place) -> tuple[str, list[str]]:
    """Bucket and prefixes: the site's, or what was asked for. Its boxes share the bucket."""
    if place.outbox:
        return _outbox(boxes, place)
    prefixes = [f"batches/site={site.name}/" for site in boxes]
    return place.bucket or _store(boxes[0]), prefixes


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


def _outbox(boxes: Sequence[Site], place: Place) -> tuple[str, list[str]]:
    site = boxes[0]
    outbox = site.cloud.outbox
    if outbox is None:
        raise UserError(
            f"{site.name}: has no outbox (`cloud.outbox` of its file), use --from cloud", INVALID
        )
    base = f"{outbox.prefix.strip('/')}/" if outbox.prefix.strip("/") else ""
    prefixes = [f"{base}site={each.name}/" for each in boxes]
    return place.bucket or outbox.bucket or _store(site), prefixes
