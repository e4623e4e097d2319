"""`fanfold results`: ordered results as they come, or as they landed in the cloud."""

from __future__ import annotations

import time
from enum import Enum
from typing import Any

import typer

from fanfold.common import output
from fanfold.common.arguments import AWS, RUNNING_SITE
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.localcore import running
from fanfold.sending.mqtt import Console
from fanfold.sending.records import LISTENING, line_of


def register(app: typer.Typer) -> None:
    app.command("results")(results)


class Source(str, Enum):
    """Where results are read."""

    core = "core"
    cloud = "cloud"
    outbox = "outbox"


def results(
    site: str | None = RUNNING_SITE,
    stream: str | None = typer.Option(None, help="One camera's results only."),
    count: int | None = typer.Option(
        None, "--count", "-n", min=1, help="End after this many results."
    ),
    wait_s: float | None = typer.Option(
        None, "--wait-s", "--timeout-s", min=0, help="End after this many seconds without a result."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON record a line."),
    source: Source = typer.Option(
        Source.core, "--from", help="A running core; what landed in the cloud; its S3 outbox."
    ),
    since: str | None = typer.Option(
        None, help="With the cloud: 90s, 15m, 2h, 7d ago, or a time such as 2026-11-25T14:00."
    ),
    job: str | None = typer.Option(None, help="With the cloud: one job's results only."),
    bucket: str | None = typer.Option(None, help="With the cloud: another bucket than the site's."),
    aws: bool = AWS,
) -> None:
    """Follow the ordered results of a running core until interrupted, or read the cloud's.

    Late results (after their gap record) are marked. Exit code 1: `--count` was not reached.
    With `--from cloud` (SITE is needed) each record comes once, each stream in order.
    Example: fanfold results demo --from cloud --since 2h --json
    """
    if source is not Source.core:
        if site is None:
            raise UserError(f"--from {source.value}: name the site", INVALID)
        from fanfold.cloud.reading import Place, read_landed

        place = Place(site, bucket, outbox=source is Source.outbox, aws=aws)
        for record in read_landed(place, stream=stream, job=job, since=since)[:count]:
            _print(record, late=False, as_json=as_json)
        return
    if since or job or bucket:
        raise UserError("--since, --job and --bucket go with --from cloud", INVALID)
    core = running.find(site)
    topics = running.topics_of(core)
    pattern = stream or "+"
    seen, last = 0, time.monotonic()
    with Console(core, [topics.results(pattern), topics.late(pattern)]) as console:
        output.note(LISTENING)
        while count is None or seen < count:
            message = console.receive(0.2)
            if message is None:
                if wait_s is not None and time.monotonic() - last > wait_s:
                    break
                continue
            last = time.monotonic()
            late = message.topic.startswith(topics.late_prefix)
            for record in message.json().get("results", []):
                if seen == count:
                    break
                _print(record, late=late, as_json=as_json)
                seen += record.get("status") != "gap"
    if count is not None and seen < count:
        raise UserError(f"{seen} of {count} results came; then {wait_s:g} s of silence", FAILED)


def _print(record: dict[str, Any], *, late: bool, as_json: bool) -> None:
    if as_json:
        output.print_json({**record, "late": late} if late else record)
        return
    output.out.print(line_of(record) + (" (late)" if late else ""), markup=False)
