"""What was sent against what arrived, at one far side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
Key = tuple[str, str, int]


@dataclass(frozen=True)
class Sent:
    """An image: its file below the images volume, and the code that its pixels show.

    ``fatal``: it ends or stops the worker that reads it, and must fail.
    """

    file: str
    code: str
    fatal: bool = False


@dataclass(frozen=True)
class Verdict:
    """Ids and counts. ``resent``, ``gaps`` and ``late`` are no fault: delivery is at least
    once, the key makes it one; a gap is announced and its record comes later."""

    missing: frozenset[str]
    duplicated: frozenset[str]
    contradicted: frozenset[Key]
    out_of_order: int
    wrong_content: frozenset[str]
    wrongly_failed: frozenset[str]
    open_gaps: int
    failed: int
    dropped: int
    gaps: int
    resent: int

    @property
    def clean(self) -> bool:
        return not (
            self.missing or self.duplicated or self.contradicted or self.out_of_order
            or self.wrong_content or self.wrongly_failed or self.open_gaps
        )  # fmt: skip


def judge(sent: Mapping[str, Sent], records: Iterable[Record]) -> Verdict:
    """``sent`` by image id. ``records``: in the order of their arrival, gaps among them.

    The key is (epoch, stream, seq). A duplicate is a second key for one id: the same key again
    is a resend, unless it says something else. Order is that of the first arrival of each key;
    what was announced as a gap may come later. A number that is lost speaks of no image.
    """
    first: dict[Key, Record] = {}
    gaps: set[Key] = set()
    contradicted: set[Key] = set()
    resent = steps_back = 0
    highest: dict[tuple[str, str], int] = {}
    for record in records:
        epoch, seq = record.get("epoch", ""), record["seq"]
        stream, key = (epoch, record["stream"]), (epoch, record["stream"], seq)
        if record["status"] == "gap":
            gaps.add(key)
        elif key in first:
            resent += 1
            if _said(first[key]) != _said(record):
                contradicted.add(key)
            continue
        else:
            first[key] = record
            if key in gaps:
                continue
        steps_back += key not in gaps and seq < highest.get(stream, 0)
        highest[stream] = max(seq, highest.get(stream, 0))
    named = [r for r in first.values() if not _is_lost_number(r)]
    ids = Counter(str(r.get("id")) for r in named)
    return Verdict(
        missing=frozenset(sent.keys() - ids.keys()),
        duplicated=frozenset(i for i, n in ids.items() if n > 1),
        contradicted=frozenset(contradicted),
        out_of_order=steps_back,
        wrong_content=_ids(named, lambda r: not _right(r, sent)),
        wrongly_failed=_ids(named, lambda r: _failure_is_wrong(r, sent)),
        open_gaps=len(gaps - first.keys()),
        failed=sum(r["status"] == "failed" for r in first.values()),
        dropped=sum(r["status"] == "dropped" for r in first.values()),
        gaps=len(gaps),
        resent=resent,
    )


def arrived(records: Iterable[Record]) -> set[str]:
    """Images of which there is a record. For who waits: `judge` looks at more, once."""
    return {str(record["id"]) for record in records if record["status"] != "gap" and "id" in record}


def _said(record: Record) -> tuple[Any, Any, Any]:
    return record["status"], record.get("id"), record.get("sha256")


def _is_lost_number(record: Record) -> bool:
    """Nobody knows which image it was; if it had no record before, that one is missing."""
    return record.get("reason") == "journal_lost" and "id" not in record


def _ids(records: Iterable[Record], wrong: Any) -> frozenset[str]:
    return frozenset(str(r["id"]) for r in records if wrong(r))


def _right(record: Record, sent: Mapping[str, Sent]) -> bool:
    """Its own file, and the pixels of that file where they were looked at."""
    image = sent.get(str(record.get("id")))
    if image is None or image.file != record.get("file"):
        return False
    return record["status"] != "ok" or bool(record.get("output", {}).get("seen") == image.code)


def _failure_is_wrong(record: Record, sent: Mapping[str, Sent]) -> bool:
    image = sent.get(str(record.get("id")))
    return image is not None and (record["status"] == "failed") != image.fatal
