"""What is around the group: disks, certificates, the deployment that was refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contract.status import Reason, Status
from edgecore.core.stats import mapping
from edgecore.core.verdict.reason import degraded, down, size, spell

FULL_BYTES = 1 << 20
LOW_BYTES, LOW_SHARE = 5 << 30, 0.05
"""Little room is less than both."""
EXPIRES_SOON_S = 30 * 86_400.0
RAN = ("applied", "already running")


def machine_reasons(status: Status) -> Iterator[Reason]:
    yield from _disks(status)
    yield from _certificates(status)
    yield from _deployment(status)


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
        where = f"{disk['path']} ({disk['use']}) has {size(free)} free of {size(whole)}"
        if free < FULL_BYTES:
            yield down(
                "disk_full",
                "disk full",
                where,
                "make room: what was accepted waits, and goes on by itself",
            )
        elif free < LOW_BYTES and free < LOW_SHARE * whole:
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
            "make a new one: `fanfold provision SITE --rotate`; or set the clock, if it is wrong",
        )


def _deployment(status: Status) -> Iterator[Reason]:
    group = status.get("group", {})
    history = group.get("history", [])
    refused = mapping(group.get("refused"))
    outcome = _outcome(str(refused.get("deployment")), history) if refused else ""
    if outcome:
        rolled_back = outcome == "rolled back"
        yield degraded(
            "deployment_rolled_back" if rolled_back else "deployment_refused",
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
