"""The latest images with their results: few, spread over the streams, failures kept longer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from edgecore.core.stats import model_name
from edgecore.history.rows import place_of

SHOWN = 12
KEPT = 240
"""Looked up by the image and trace endpoints after they have left the page."""
EVERY_S = 1.0
"""Per stream: a faster stream is sampled, an eye sees no more."""
UNSAMPLED = SHOWN
"""A stream's first results are all kept: a short test send is seen whole."""
MAX_BOXES = 60
MAX_TOP = 3
MAX_DETAIL = 300
"""Characters of why an image failed."""

Key = tuple[str, int]


class Gallery:
    def __init__(self) -> None:
        self._entries: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._last_t: OrderedDict[str, float] = OrderedDict()
        self._taken: OrderedDict[str, int] = OrderedDict()

    def is_due(self, stream: str, t: float) -> bool:
        """Whether a stream's next picture is kept, also of an image that did not fail."""
        new = self._taken.get(stream, 0) < UNSAMPLED
        return new or abs(t - self._last_t.get(stream, 0.0)) >= EVERY_S  # its clock may be set back

    def offer(self, record: Mapping[str, Any], t: float) -> bool:
        """Keep the record if its stream is new or due, or if it failed; whether it was kept."""
        stream = str(record["stream"])
        taken = self._taken.get(stream, 0)
        if record.get("status") == "ok" and not self.is_due(stream, t):
            return False
        self._last_t[stream] = t
        self._last_t.move_to_end(stream)
        _bound(self._last_t, KEPT)
        self._taken[stream] = min(taken + 1, UNSAMPLED)
        self._taken.move_to_end(stream)
        _bound(self._taken, KEPT)
        key = (stream, int(record["seq"]))
        self._entries[key] = _entry(record, t)
        _bound(self._entries, KEPT)
        return True

    def get(self, stream: str, seq: int) -> dict[str, Any] | None:
        return self._entries.get((stream, seq))

    def newest(self) -> dict[str, int]:
        """By stream: the number of its last image that has a picture."""
        seen = {e["stream"]: e["seq"] for e in self._entries.values() if e["status"] == "ok"}
        return {**{e["stream"]: e["seq"] for e in self._entries.values()}, **seen}

    def latest(self) -> list[dict[str, Any]]:
        """By stream, so that pictures keep their place: each its newest, then failed, then older.

        More streams than places: the streams seen last.
        """
        by_stream: dict[str, list[dict[str, Any]]] = {}
        for entry in reversed(self._entries.values()):
            by_stream.setdefault(entry["stream"], []).append(entry)
        seen_last = list(by_stream)[:SHOWN]
        places = SHOWN // max(1, len(seen_last))
        return [e for name in sorted(seen_last) for e in _best(by_stream[name], places)]


def _best(newest_first: list[dict[str, Any]], places: int) -> list[dict[str, Any]]:
    """Failed ones take up to half of the places that the newest leaves."""
    first, rest = newest_first[:1], newest_first[1:]
    failed = [e for e in rest if e["status"] != "ok"][: max(1, places // 2)]
    others = [e for e in rest if e not in failed]
    return [*first, *failed, *others][:places]


def _entry(record: Mapping[str, Any], t: float) -> dict[str, Any]:
    output = record.get("output") or {}
    return {
        "stream": record["stream"],
        "seq": record["seq"],
        "id": record.get("id", ""),
        "file": record.get("file", ""),
        "name": place_of(record)[1],
        "status": record.get("status", ""),
        "reason": record.get("reason", ""),
        "detail": str(record.get("detail", ""))[:MAX_DETAIL],
        "worker": record.get("worker", ""),
        "model": model_name(record.get("model")),
        "top": _best_answers(output)[:MAX_TOP],
        "boxes": [_bare(box) for box in output.get("boxes", [])[:MAX_BOXES]],
        "ms": record.get("ms", {}),
        "t": t,
    }


def _best_answers(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What stands under a picture: classes, shares of a segmentation, or the anomaly's score."""
    if "anomalous" in output:
        word = "anomalous" if output["anomalous"] else "normal"
        return [{"label": word, "score": output.get("score", 0)}]
    shares = [{"label": c["label"], "score": c["share"]} for c in output.get("classes", [])]
    return list(output.get("top", [])) or shares


def _bare(box: Any) -> Any:
    """Without its mask: the page draws corners."""
    return {k: v for k, v in box.items() if k != "mask"} if isinstance(box, Mapping) else box


def _bound(book: OrderedDict[Any, Any], limit: int) -> None:
    while len(book) > limit:
        book.popitem(last=False)
