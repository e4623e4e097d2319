"""What is around the group: disks, certificates, the deployment that was refused. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contract.status import Reason, Status
from edgecore.core.stats import mapping, number
from edgecore.core.verdict.reason import degraded, down, size, spell

FULL_BYTES = 1 << 20
LOW_BYTES, LOW_SHARE = 5 << 30, 0.05
LOW_FILES = 10_000
"""Little room is less than both, of bytes or of files."""
EXPIRES_SOON_S = 30 * 86_400.0
EARLIEST_CLOCK = 1_764_000_000.0
"""2025-11-24: this software is newer, so a clock before it is wrong."""
RAN = ("applied", "already running")
THE_PAGE = "the page"
_NEW_CERTIFICATE = (
    "make a new one: `fanfold provision SITE --rotate`; or set the clock, if it is wrong"
)
_NEW_PAGE = (
    "put a new one in the file of --http-certificate and restart the core; or set the clock, if "
    "it is wrong"
)


def machine_reasons(status: Status) -> Iterator[Reason]:
    yield from _clock(status)
    yield from _disks(status)
    yield from _certificates(status)
    yield from _deployment(status)


def _clock(status: Status) -> Iterator[Reason]:
    """A machine without a battery starts in 1970 where nobody tells it the time."""
    at = number(status.get("core", {}).get("clock"))
    if at is not None and at < EARLIEST_CLOCK:
        shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
        yield degraded(
            "clock_wrong",
            "clock",
            f"of this machine says {shown} UTC, which is long past",
            "set it (`timedatectl set-ntp true`): results and history carry its time, and no "
            "certificate is valid then",
        )


def _disks(status: Status) -> Iterator[Reason]:
    for disk in status.get("disks", []):
        free, whole = disk["free_bytes"], disk["size_bytes"]
        if disk.get("read_only") and "state" in disk["use"].split(", "):
            yield degraded(
                "state_volume_refuses",
                "state volume of the core",
                f"{disk['path']} is mounted read-only",
                "check the file system and mount it writable: results and deployments wait, and "
                "go on by themselves",
            )
        files, more = disk.get("files") or 0, disk.get("free_files") or 0
        few = bool(files) and more < LOW_FILES and more < LOW_SHARE * files
        room = f"{size(free)} free of {size(whole)}"
        if few:
            room = f"room for {more:.0f} more files (of {files:.0f}; {room})"
        where = f"{disk['path']} ({disk['use']}) has {room}"
        # A network or a virtual file system may say that it has no size: that is not a full one.
        if (whole and free < FULL_BYTES) or (few and not more):
            yield down(
                "disk_full",
                "disk full",
                where,
                "make room: what was accepted waits, and goes on by itself",
            )
        elif few or (free < LOW_BYTES and free < LOW_SHARE * whole):
            yield degraded(
                "disk_low",
                "disk almost full",
                where,
                "make room before it is full: then cameras are answered no_space",
            )


def _certificates(status: Status) -> Iterator[Reason]:
    for certificate in status.get("certificates", []):
        left_s = certificate["expires_in_s"]
        if left_s > EXPIRES_SOON_S:
            continue
        words = f"expires in {spell(left_s)}" if left_s > 0 else f"expired {spell(-left_s)} ago"
        yield degraded(
            "certificate_expires" if left_s > 0 else "certificate_expired",
            f"certificate of {certificate['name']}",
            words,
            _NEW_PAGE if certificate["name"] == THE_PAGE else _NEW_CERTIFICATE,
        )


def _deployment(status: Status) -> Iterator[Reason]:
    group = status.get("group", {})
    history = group.get("history", [])
    refused = mapping(group.get("refused"))
    outcome = _outcome(str(refused.get("deployment")), history) if refused else ""
    if outcome:
        rolled_back = outcome == "rolled back"
        yield degraded(
            "deployment_rolled_back" if rolled_back else _refusal(status, refused),
            f"deployment {refused.get('deployment')}",
            f"{'was rolled back' if rolled_back else 'is refused here'}: {refused.get('reason')}",
            f"deployment {group.get('deployment')} runs instead; fix it and deploy again",
        )
    elif history and history[-1].get("outcome") == "not healthy":
        yield degraded(
            "deployment_not_healthy",
            f"deployment {history[-1].get('deployment')}",
            f"did not become healthy: {history[-1].get('detail')}",
            "there is no earlier one to go back to: fix it and deploy again",
        )


def _refusal(status: Status, refused: Mapping[str, Any]) -> str:
    """By its canary, or because it could not be loaded."""
    canary = mapping(status.get("canary"))
    by_canary = canary.get("deployment") == refused.get("deployment")
    by_canary = by_canary and canary.get("state") == "refused"
    return "canary_refused" if by_canary else "deployment_refused"


def _outcome(deployment: str, history: Sequence[Mapping[str, Any]]) -> str:
    """How the deployment ended, while it is the newest; "": something newer has run since."""
    ends = [i for i, e in enumerate(history) if e.get("deployment") == deployment]
    if not ends:
        return ""
    before = {e.get("deployment") for e in history[: ends[-1] + 1]}
    later = history[ends[-1] + 1 :]
    if any(e.get("outcome") in RAN and e.get("deployment") not in before for e in later):
        return ""
    return str(history[ends[-1]].get("outcome"))
