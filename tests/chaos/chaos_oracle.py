"""What was sent against what reached the cloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """Ids and counts; ``resent`` is no fault: delivery is at least once, the key makes it one."""

    missing: frozenset[str]
    duplicated: frozenset[str]
    out_of_order: int
    wrong_file: frozenset[str]
    failed: int
    resent: int

    @property
    def clean(self) -> bool:
        return not (self.missing or self.duplicated or self.out_of_order or self.wrong_file)


def judge(sent: Mapping[str, str], records: Iterable[Mapping[str, Any]]) -> Verdict:
    """``sent``: image id → file. ``records``: terminal records in the order of their arrival.

    A duplicate is a second (stream, seq) for one id: the same key again is a resend.
    """
    first: dict[tuple[str, int], Mapping[str, Any]] = {}
    resent = 0
    for record in records:
        if record.get("status") == "gap":
            continue
        key = (record["stream"], record["seq"])
        resent += key in first
        first.setdefault(key, record)
    ids = Counter(r.get("id") for r in first.values())
    return Verdict(
        missing=frozenset(sent.keys() - ids.keys()),
        duplicated=frozenset(str(i) for i, n in ids.items() if n > 1),
        out_of_order=_steps_back(first),
        wrong_file=frozenset(
            str(r["id"]) for r in first.values() if sent.get(str(r.get("id"))) != r.get("file")
        ),
        failed=sum(r["status"] != "ok" for r in first.values()),
        resent=resent,
    )


def _steps_back(keys: Iterable[tuple[str, int]]) -> int:
    last: dict[str, int] = {}
    count = 0
    for stream, seq in keys:
        count += seq < last.get(stream, 0)
        last[stream] = max(seq, last.get(stream, 0))
    return count
