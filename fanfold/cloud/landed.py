"""Reading a site's results back from its bucket (docs/spec/cloud-results.md).

Batches come at least once and a late record comes after the gap that announced it; what is
returned has every record once and each stream in order.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

Record = dict[str, Any]
READERS = 8
_HOUR = re.compile(r"day=(\d{4}-\d{2}-\d{2})/hour=(\d{2})/")
_EPOCH = re.compile(r"/epoch=([^/]+)/")


@dataclass(frozen=True)
class Wanted:
    """Which records: all that are given must hold. `since`: epoch seconds of `t_in`."""

    stream: str | None = None
    job: str | None = None
    since: float | None = None

    def takes(self, record: Record) -> bool:
        if self.stream is not None and record.get("stream") != self.stream:
            return False
        if self.job is not None and record.get("job") != self.job:
            return False
        t_in = record.get("t_in")
        return self.since is None or t_in is None or t_in >= self.since


@dataclass
class Collected:
    """Records by (epoch, stream, seq); a terminal one wins over the gap that announced it."""

    epochs: dict[tuple[str, str], int] = field(default_factory=dict)
    begun: dict[tuple[str, str], float] = field(default_factory=dict)
    records: dict[tuple[str, str, int], Record] = field(default_factory=dict)
    repeated: int = 0

    def add(self, epoch: str, record: Record) -> None:
        stream, seq = str(record["stream"]), int(record["seq"])
        self.epochs.setdefault((stream, epoch), len(self.epochs))
        t_in = float(record.get("t_in") or math.inf)
        self.begun[stream, epoch] = min(t_in, self.begun.get((stream, epoch), math.inf))
        before = self.records.get((epoch, stream, seq))
        if before is None or before.get("status") == "gap":
            self.records[epoch, stream, seq] = record
        self.repeated += before is not None

    def ordered(self, *, boxes: int = 1) -> list[Record]:
        """Stream by stream; its epochs in the order in which they appeared, then `seq`.

        Of several boxes, whose folders are read one after another: epochs by their first image.
        """

        def place(key: tuple[str, str, int]) -> tuple[str, float, int, int]:
            epoch, stream, seq = key
            begun = self.begun[stream, epoch] if boxes > 1 else 0.0
            return stream, begun, self.epochs[stream, epoch], seq

        return [self.records[key] for key in sorted(self.records, key=place)]


def keys(client: Any, bucket: str, prefix: str, since: float | None) -> Iterator[str]:
    """Object keys below `prefix`, in order, from the hour before `since` on.

    The hour before: a batch that crossed the border stands there.
    """
    first = ""
    if since is not None:
        start = datetime.fromtimestamp(since, timezone.utc) - timedelta(hours=1)
        first = f"{prefix}day={start:%Y-%m-%d}/hour={start:%H}/"
    pages = client.get_paginator("list_objects_v2")
    begin = {"StartAfter": first} if first else {}
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, **begin):
        for entry in page.get("Contents", []):
            if _HOUR.search(entry["Key"]) is None or entry["Key"] >= first:
                yield entry["Key"]


def records_of(key: str, body: bytes) -> Iterator[tuple[str, Record]]:
    """(epoch, record) of a batch, or of an outbox object: one record a line, epoch in the key."""
    text = body.decode("utf-8")
    if key.endswith(".jsonl"):
        found = _EPOCH.search(key)
        # Not `splitlines`: a label may hold a line separator of Unicode, which JSON leaves alone.
        for line in filter(None, text.split("\n")):
            yield found[1] if found else "", json.loads(line)
        return
    batch = json.loads(text)
    for record in batch.get("results", []):
        yield str(batch.get("epoch", "")), record


def collect(
    client: Any, bucket: str, found: Iterable[str], wanted: Wanted, step: Callable[[], None]
) -> Collected:
    """Read the objects, a few at a time; `step` is called for each one.

    Raises ValueError naming the object that is no batch of results.
    """

    def read(key: str) -> tuple[str, bytes]:
        return key, client.get_object(Bucket=bucket, Key=key)["Body"].read()

    collected = Collected()
    with ThreadPoolExecutor(READERS) as readers:
        for key, body in readers.map(read, found):
            try:
                for epoch, record in records_of(key, body):
                    if wanted.takes(record):
                        collected.add(epoch, record)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"s3://{bucket}/{key} is no batch of results: {error}") from error
            step()
    return collected


def since_of(text: str, now: float) -> float:
    """`90s`, `15m`, `2h`, `7d` before `now`, or an ISO 8601 time (UTC where it says no zone).

    Raises ValueError.
    """
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return now - float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
