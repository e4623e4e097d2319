"""What the journal says of an accepted image: where it is, what it was called, what it was.

Pure: from an event and what was taken of it to items.
"""

from __future__ import annotations

from typing import Any, Sequence

from lambdas.splitter.custody import Taken
from lambdas.splitter.dropscan import shown_path
from lambdas.splitter.intake import Event
from lambdas.splitter.marks import content_mark, inline_mark


def items_of(
    camera: str, event: Event, taken: Sequence[Taken | None], wall: float
) -> list[dict[str, Any]]:
    """One item for each image, not numbered yet, without what `Taken.text` says. `taken`: empty
    where nothing was to be taken; None in it: that image could not be had. `wall`: of its arrival,
    Unix seconds."""
    items = []
    for index in range(event.images):
        item: dict[str, Any] = {"stream": camera, "seq": 0}
        item["id"] = f"{event.id}/{index}" if event.manifest else event.id
        _describe(item, event, index, taken[index] if taken else None)
        if event.job is not None:
            item["job"] = event.job
            item["last"] = event.last and index == event.images - 1
        if event.ts is not None:
            item["ts"] = event.ts
        item["t_in"] = round(wall, 3)
        items.append(item)
    return items


def event_mark(event: Event, taken: Sequence[Taken | None]) -> str:
    """What the journal remembers of an event's content."""
    if event.content is not None:
        return inline_mark(event.digest)
    had = taken or [None] * event.images
    return content_mark(event.files, [one.mark if one else None for one in had])


def _describe(item: dict[str, Any], event: Event, index: int, taken: Taken | None) -> None:
    """Where the image is, what it was called and how to know it again."""
    if event.content is not None:
        item["file"] = taken.kept if taken else ""
    else:
        name = event.files[index]
        item["file"] = shown_path(name) if event.odd else name
    if taken is None or taken.text:
        return
    if event.content is None:
        item["kept"] = taken.kept
    item["stat"] = taken.stat
    if taken.digest:
        item["digest"] = taken.digest
