"""How a batch for the cloud is named and filed (docs/spec/cloud-results.md). Pure.

Both follow from its content, so that the same batch sent again is the same object there.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, Iterable, Iterator

from contract.messages import utf8
from lambdas.aggregator.store import JOB
from lambdas.aggregator.tables import Row

# Site and thing names are bounded (41 and 124 characters), the rest is fixed.
HEAD_BYTES = 512
# 2001 to 2100: a clock that was never set stands before, one that jumped may stand after.
_SANE_S = (978_307_200, 4_102_444_800)
_DECODER = json.JSONDecoder()


def batch_name(epoch: str, first: int, body: str) -> str:
    """The hash tells batches apart of a store that was lost and counts from one again."""
    return f"{epoch}-{first:012d}-{hashlib.sha256(utf8(body)).hexdigest()[:12]}"


def partition_of(rows: Iterable[Row], wall: float) -> str:
    """UTC hour in which the first image was accepted; `wall` where no record says when."""
    accepted = next(filter(None, (_accepted_at(row) for row in rows)), wall)
    return time.strftime("day=%Y-%m-%d/hour=%H", time.gmtime(accepted))


def _accepted_at(row: Row) -> float | None:
    key = "started" if row.kind == JOB else "t_in"
    records = _records(row.body)
    return next((record[key] for record in records if _is_sane(record.get(key))), None)


def _records(body: str) -> Iterator[dict[str, Any]]:
    """One by one: mostly the first is all that is asked for."""
    at = 0
    while at < len(body):
        record, end = _DECODER.raw_decode(body, at)
        at = end + len(",")
        yield record


def _is_sane(t: Any) -> bool:
    return isinstance(t, (int, float)) and _SANE_S[0] <= t < _SANE_S[1]
