"""What became of the images lately: inspected, failed, left waiting, refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract.status import Reason, Status
from edgecore.core.stats import all_drained, mapping, number, part
from edgecore.core.verdict.intake import is_full
from edgecore.core.verdict.reason import degraded, down, spell

FEWEST = 5
"""Failures below this number are chance."""
FAILED_SHARE = 0.1
MODEL_DOWN_SHARE = 0.9
"""Above this share of failures that are the model's, no image gets a result."""
UNANSWERED_S = 30.0
"""Images wait, no worker holds any, and for so long none was finished."""
BUSY_LIMIT_S = 300.0
"""The same while workers hold some, of a core that says no ``busy_limit_s``."""
REFUSED_SHOWN_S = 600.0
REFUSED_SHOWN = 5

WHY_REFUSED = {
    "busy": "the site is busy: the camera is to send them again",
    "no_space": "disk full: the camera is to send them again",
    "too_large": "larger than a message may be: send a file's name instead",
    "malformed": "not as a message must be",
    "unknown_version": "messages of a version that this site does not know",
    "not_an_image": "not images",
    "unsupported": "pictures of a kind that is not read",
    "not_found": "their files are not on the images volume",
    "not_a_file": "what they name is no file that can be read",
    "outside_volume": "their files are outside the images volume",
    "id_reused": "their ids were used before, with other content",
}


def image_reasons(status: Status) -> Iterator[Reason]:
    yield from _failed(status)
    yield from _unanswered(status)
    yield from _dropped(status)
    yield from _refused_images(status)
    yield from _refused_clients(status)
    yield from _salvaged(status)


def _recent(status: Status) -> tuple[dict[str, float], str]:
    recent = mapping(status.get("recent"))
    counts = {
        name: number(recent.get(name)) or 0.0
        for name in ("answered", "failed", "model_errors", "dropped", "unanswered_s", "accepted")
    }
    return counts, spell(number(recent.get("window_s")) or 0.0)


def _failed(status: Status) -> Iterator[Reason]:
    counts, window = _recent(status)
    failed, total = counts["failed"], counts["failed"] + counts["answered"]
    if failed < FEWEST or failed < FAILED_SHARE * total:
        return
    words = f"failed {failed:.0f} of the last {total:.0f} images ({window})"
    if counts["model_errors"] >= MODEL_DOWN_SHARE * total:
        yield down(
            "model_fails",
            "the model",
            words,
            "go back to the model before it (`fanfold rollback`), or read a failed image's "
            "detail: `fanfold results`, or the page",
        )
    elif counts["model_errors"] * 2 >= failed:
        yield degraded(
            "model_fails_some",
            "the model",
            words,
            "read a failed image's detail: `fanfold results`, or the page",
        )
    else:
        yield degraded(
            "images_fail",
            "images",
            f"{failed:.0f} of the last {total:.0f} failed ({window})",
            "see which camera and why among the latest images, or in `fanfold results`",
        )


def _unanswered(status: Status) -> Iterator[Reason]:
    splitter = part(status, "splitter")
    waiting, held = number(splitter.get("backlog")) or 0.0, number(splitter.get("inflight")) or 0.0
    unanswered_s = _recent(status)[0]["unanswered_s"]
    if (
        all_drained(status)
        or not waiting
        or is_full(status, "splitter")
        or is_full(status, "aggregator")
    ):
        return
    words = f"{waiting:.0f} wait, and none was finished for {spell(unanswered_s)}"
    if not held and unanswered_s >= UNANSWERED_S:
        yield down(
            "no_results",
            "images",
            f"{words}; no worker holds any",
            "see the other reasons; else read the splitter's log",
        )
        return
    limit_s = number(mapping(status.get("recent")).get("busy_limit_s")) or BUSY_LIMIT_S
    if held and unanswered_s >= max(UNANSWERED_S, limit_s):
        yield degraded(
            "slow_results",
            "images",
            f"{words}; the workers hold {held:.0f}, and one image may take {spell(limit_s)}",
            "the model hangs, or needs longer than the site's `timeouts.worker_s`: read the "
            "workers' logs",
        )


def _dropped(status: Status) -> Iterator[Reason]:
    counts, window = _recent(status)
    if counts["dropped"]:
        yield degraded(
            "images_dropped",
            "images",
            f"{counts['dropped']:.0f} were dropped without inspection ({window})",
            "the backlog's quota was reached, or an operator asked for it: see their records",
        )


def _refused_images(status: Status) -> Iterator[Reason]:
    found: list[Any] = mapping(status.get("recent")).get("refused_images") or []
    for each in found[:REFUSED_SHOWN]:
        if each["since_s"] <= REFUSED_SHOWN_S:
            why = WHY_REFUSED.get(each["reason"], each["reason"])
            yield degraded(
                "images_refused",
                f"camera {each['camera']}",
                f"{each['count']} images or messages were refused, the last "
                f"{spell(each['since_s'])} ago: {why}",
                "the reason is on its topic …/rejected; `fanfold logs splitter` has the detail",
            )


def _refused_clients(status: Status) -> Iterator[Reason]:
    mqtt = mapping(status.get("mqtt"))
    connected = {str(client.get("client_id")) for client in mqtt.get("clients") or []}
    for each in (mqtt.get("refused_clients") or [])[:REFUSED_SHOWN]:
        if each["since_s"] <= REFUSED_SHOWN_S and each["who"] not in connected:
            yield degraded(
                "client_refused",
                f"camera {each['who']}",
                f"may not connect ({each['count']} attempts, the last {spell(each['since_s'])} "
                f"ago): {each['reason']}",
                "name it in the site file and deploy, or give it its own certificate "
                "(`fanfold provision`)",
            )


def _salvaged(status: Status) -> Iterator[Reason]:
    for name in ("splitter", "aggregator"):
        salvage = mapping(part(status, name).get("salvage"))
        if salvage:
            yield degraded(
                "journal_damaged",
                name,
                f"its database was damaged when it started; {salvage.get('rescued')} rows were "
                f"read from it, it is kept as {salvage.get('kept')}",
                "check the disk; this is shown until the next start",
            )
