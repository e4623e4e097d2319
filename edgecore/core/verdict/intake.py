"""The way in: volume, disk, journal, queue. Can an image be taken at all? Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contract.status import Reason, Status
from edgecore.core.stats import mapping, number, part
from edgecore.core.verdict.reason import DEGRADED, DOWN, gate

BACKLOG_SHARE = 0.8
_SPOOL_WORDS = {
    "disk_full": "disk full",
    "quota_refused": "its quota is full",
}


def intake_reasons(status: Status) -> Iterator[Reason]:
    yield from _full(status)
    yield from _replaced(status)
    yield from _images_volume(status)
    yield from _spool(status)
    yield from _backlog(status)
    yield from _router(status)


def is_full(status: Status, name: str) -> bool:
    """Whether the part says that its disk takes nothing: then that is why it does nothing."""
    disk = mapping(part(status, name).get("disk"))
    volume = mapping(part(status, name).get("state_volume"))
    return disk.get("state") == "full" or volume.get("state") == "refuses"


def _full(status: Status) -> Iterator[Reason]:
    for name, what in (("splitter", "new images"), ("aggregator", "results")):
        if not is_full(status, name):
            continue
        why = f"the {name} takes {_what_not(status, name, what)}"
        volume = mapping(part(status, name).get("state_volume"))
        # Not of the whole sentence: a folder's name may have the word.
        full = volume.get("state") != "refuses" or "full" in str(volume.get("detail"))
        yield gate(
            DOWN,
            "disk_full" if full else "state_volume_refuses",
            "disk full" if full else f"state volume of the {name}",
            why,
            "make room there, or make it writable: what was accepted waits, nothing is dropped, "
            "and it is tried each second",
        )


def _replaced(status: Status) -> Iterator[Reason]:
    """A part that accepts into a file that nobody will find again."""
    found = {
        name: mapping(part(status, name).get("state_volume")).get("replaced")
        for name in ("splitter", "aggregator")
    }
    for name, paths in {**found, "core": status.get("replaced")}.items():
        if paths:
            yield gate(
                DEGRADED,
                "database_replaced",
                f"database of the {name}",
                f"{', '.join(map(str, paths))} was replaced or removed while it is in use: what is "
                "remembered from now on is lost at the next start",
                "stop the core, see that the right file lies there, and start it again; put "
                "databases back only while it is stopped",
                blocks=True,
            )


def _what_not(status: Status, name: str, what: str) -> str:
    volume = mapping(part(status, name).get("state_volume"))
    if volume.get("state") == "refuses":
        return f"nothing new in {volume.get('folder')}: {volume.get('detail')}"
    return f"no {what}: disk full, {mapping(part(status, name).get('disk')).get('detail')}"


def _images_volume(status: Status) -> Iterator[Reason]:
    volume = mapping(part(status, "splitter").get("images_volume"))
    state, detail = volume.get("state"), volume.get("detail")
    if state == "away":
        yield gate(
            DOWN,
            "volume_away",
            "images volume",
            f"is away: {detail}",
            "mount it again: what was accepted waits, and goes on by itself",
        )
    elif state == "refuses":
        yield gate(
            DOWN,
            "volume_refuses",
            "images volume",
            f"takes no new images: {detail}",
            "make it writable again: cameras are answered busy, and it is tried each second",
        )


def _spool(status: Status) -> Iterator[Reason]:
    cloud = mapping(status.get("cloud"))
    refusing = cloud.get("refusing")
    if not refusing:
        return
    words = _SPOOL_WORDS.get(str(refusing), str(refusing))
    fails = refusing == "disk_error"
    yield gate(
        DEGRADED,
        "spool_refuses",
        "state volume of the core" if fails else "cloud spool",
        f"takes no messages for the cloud: {cloud.get('problem') or words}",
        ("make it writable again" if fails else "make room on the core's state disk")
        + ": results wait with the aggregator, nothing is dropped, and it is tried each second",
    )


def _backlog(status: Status) -> Iterator[Reason]:
    splitter = part(status, "splitter")
    waiting, limit = number(splitter.get("backlog")), number(splitter.get("max_backlog"))
    if not waiting or not limit or waiting < BACKLOG_SHARE * limit:
        return
    full = waiting >= limit
    yield gate(
        DEGRADED,
        "backlog_full" if full else "backlog_high",
        "backlog",
        f"is {waiting:.0f} of {limit:.0f} images"
        + (": new ones are refused or dropped" if full else ""),
        "images come faster than the workers inspect them: more workers, a faster model, or "
        "fewer images",
        gate=False,
        blocks=full,
    )


def _router(status: Status) -> Iterator[Reason]:
    router = mapping(status.get("router"))
    items, limit = number(router.get("work_items")), number(router.get("limit"))
    if limit and items is not None and items >= limit:
        yield gate(
            DEGRADED,
            "router_full",
            "router",
            f"queue is full: {items:.0f} of {limit:.0f} items, new messages are refused",
            "a target is slower than its source: see the queues of the functions",
            blocks=True,
        )
