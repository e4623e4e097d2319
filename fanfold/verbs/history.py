"""`fanfold history`: what a core on this machine remembers, also while it is stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from enum import Enum
from typing import Any

import typer
from rich.table import Table

from edgecore.history.export import csv_counts, csv_head, csv_lines, csv_table, json_lines
from edgecore.history.query import QueryError, parse, period, zone_now
from edgecore.history.reader import EXPORT_LIMIT_S, NoHistoryError, Reader, TooSlowError
from edgecore.history.schema import file_of
from edgecore.history.settings import VARIABLE, Settings, of_environment
from edgecore.history.shifts import By
from edgecore.history.text import visible
from fanfold.common import output
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.project import read_site, remembered_site
from fanfold.localcore import running
from fanfold.localcore.samples import write_samples
from replay.errors import ReplayError
from replay.opening import place_of

LABEL_COLUMNS = ("label", "camera", "images")
EVENT_COLUMNS = ("time", "t", "kind", "subject", "text", "who")


def register(app: typer.Typer) -> None:
    app.command("history")(history)


class What(str, Enum):
    """What is shown."""

    images = "images"
    labels = "labels"
    events = "events"


class Counted(str, Enum):
    """What a count is made for."""

    camera = "camera"
    hour = "hour"
    shift = "shift"
    day = "day"


def history(
    site: str | None = typer.Argument(None, help="Site; needed only if several ran here."),
    name: str = typer.Option("", help="An image's name: its beginning, or a *pattern*."),
    camera: str = typer.Option("", help="One camera's images only."),
    label: str = typer.Option("", help="Images on which this label was found."),
    status: str = typer.Option("", help="ok, failed or dropped."),
    job: str = typer.Option("", help="One job's images only."),
    since: str = typer.Option("", help="90s, 15m, 2h, 7d ago, or 2026-11-25T14:00."),
    until: str = typer.Option("", help="As --since."),
    score_min: str = typer.Option("", help="The best label's score, or --label's, at least."),
    defects: bool = typer.Option(False, "--defects", help="Images with a defect only."),
    sample: str = typer.Option("", help="Images kept whole: by this rule; 1: by any."),
    samples_to: str = typer.Option(
        "", "--samples", metavar="PLACE", help="Write those to a folder or s3://bucket/prefix."
    ),
    count_by: Counted | None = typer.Option(
        None, "--by", help="Count instead: images, failures and defect rate by camera and this."
    ),
    show: What = typer.Option(What.images, help="images, label counts, or the event timeline."),
    limit: int = typer.Option(50, "--count", "-n", min=1, help="Newest images at most."),
    as_csv: bool = typer.Option(False, "--csv", help="All that is found, for a spreadsheet."),
    as_json: bool = typer.Option(False, "--json", help="All that is found, one JSON a line."),
) -> None:
    """Search the history of a site's core: images, failures, counts, defect rates, events.

    It is read from the core's state directory, so it is there while the core is stopped.
    Example: fanfold history demo --status failed --since 24h
    """
    if as_csv and as_json:
        raise UserError("--csv and --json: pass one of them", INVALID)
    state = running.state_of(site)
    settings = _settings(state.name, remembered_site(state))
    reader = Reader(file_of(state), EXPORT_LIMIT_S)
    given = {"name": name, "camera": camera, "label": label, "status": status, "job": job,
        "sample": sample or ("1" if samples_to else ""), "since": since, "until": until,
        "score_min": score_min,
        "defect": "1" if defects else ""}  # fmt: skip
    try:
        if samples_to:
            _samples(reader, settings, given, samples_to)
        elif count_by is not None or show is What.labels:
            _counts(reader, settings, given, count_by, as_csv=as_csv, as_json=as_json)
        elif show is What.events:
            _events(reader, settings, limit, as_csv=as_csv, as_json=as_json)
        else:
            _images(reader, settings, given, limit, as_csv=as_csv, as_json=as_json)
    except QueryError as error:
        raise UserError(str(error), INVALID) from error
    except NoHistoryError as error:
        raise UserError(f"{error}. Start one: fanfold run", MISSING) from error
    except TooSlowError as error:
        raise UserError(str(error)) from error


def _settings(name: str, site: str) -> Settings:
    """The site file's shifts and time zone; this machine's own where it is gone or wrong."""
    try:
        chosen, _ = read_site(site)
    except UserError:
        output.note(f"the site file of {name} does not read: shifts and time zone are the defaults")
        return Settings()
    return of_environment({VARIABLE: chosen.history.variable()})


def _images(
    reader: Reader, settings: Settings, given: dict[str, str], limit: int, *,
    as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    query = parse({**given, "limit": str(min(limit, 1000))}, time.time(), settings.zone)
    if as_csv or as_json:
        _write(csv_head() if as_csv else "")
        for page in reader.pages(query):
            _write(csv_lines(page, settings.zone) if as_csv else json_lines(page))
        return
    found = reader.search(query)
    table = _table("time", "image", "name", "status", "found, or why not", "job", "worker")
    for record in found.records:
        shown = (
            zone_now(settings.zone, record["t"])[:19].replace("T", " "),
            f"{record['camera']}/{record['seq']}",
            record["name"],
            "defect" if record["defect"] else record["status"],
            _found(record),
            record["job"],
            record["worker"],
        )
        table.add_row(*map(_plain, shown))
    output.out.print(table)
    _note_zone(settings)
    if found.searched_to is not None:
        back_to = zone_now(settings.zone, found.searched_to)[:23]
        output.warn(f"looked back to {back_to} only, which took as long as a search may: go on "
            f"with --until {back_to}, or name a camera")  # fmt: skip
        return
    if not found.records:
        anywhere = query.name and not query.is_pattern
        hint = f"; a name is found by its beginning, anywhere with --name '*{query.name}*'"
        output.note("nothing found" + (visible(hint) if anywhere else ""))
    if found.next is not None:
        output.note(f"the newest {len(found.records)}; more: --count, --since, --csv or --json")


def _samples(reader: Reader, settings: Settings, given: dict[str, str], place: str) -> None:
    from fanfold.cloud.access import explained, reach

    query = parse(given, time.time(), settings.zone)
    try:
        with explained(reach("", aws=True), place) if place.startswith("s3:") else nullcontext():
            found, new = write_samples(reader, query, place_of(place))
    except ReplayError as error:
        raise UserError(str(error), INVALID) from error
    output.line(f"{found} images with their records in {place}, {new} of them new")
    if not found:
        output.note("none is kept that fits; the site file's history: samples says which to keep")


def _found(record: dict[str, Any]) -> str:
    if record["status"] != "ok":
        return f"{record['reason']}: {record['detail']}" if record["detail"] else record["reason"]
    return ", ".join(
        f"{x['label']} {x['score']:.1%}" + (f" x{x['count']}" if x["count"] > 1 else "")
        for x in record["labels"]
    )


def _counts(
    reader: Reader, settings: Settings, given: dict[str, str], by: Counted | None, *,
    as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    now = time.time()
    first, last = period(given["since"] or "24h", given["until"] or None, now, settings.zone)
    since, until = first or 0.0, last or now
    if by is None:
        labels = reader.labels(since, until, given["camera"])
        if as_csv:
            _write(csv_table(labels, LABEL_COLUMNS))
        else:
            _rows(labels, LABEL_COLUMNS, as_json=as_json)
        return
    named: By = by.value
    counts = reader.counts(named, since, until, settings, given["camera"])
    if as_csv:
        _write(csv_counts(counts))
        return
    columns = ("period", "camera", "images", "failed", "dropped", "defects", "defect_rate")
    _rows(counts, columns[by is Counted.camera :], as_json=as_json)


def _events(reader: Reader, settings: Settings, limit: int, *, as_csv: bool, as_json: bool) -> None:
    events = reader.events(limit)
    if as_csv:
        timed = [{**e, "time": zone_now(settings.zone, e["t"])} for e in events]
        _write(csv_table(timed, EVENT_COLUMNS))
        return
    if as_json:
        _write(json_lines(events))
        return
    table = _table("time", "what", "subject", "")
    for event in events:
        at = zone_now(settings.zone, event["t"])[:19].replace("T", " ")
        who = f" ({event['who']})" if event["who"] else ""
        shown = (at, event["kind"], event["subject"], event["text"] + who)
        table.add_row(*map(_plain, shown))
    output.out.print(table)
    _note_zone(settings)


def _note_zone(settings: Settings) -> None:
    if said := whose_times(settings, datetime.now().astimezone()):
        output.note(said)


def whose_times(settings: Settings, here: datetime) -> str:
    """Whose the times are; empty where the site's clock shows what this machine's does, as
    `results`, `logs` and `audit` show."""
    if here.astimezone(settings.zone).utcoffset() == here.utcoffset():
        return ""
    return f"times are of {settings.time_zone}, the site's time zone"


def _rows(rows: list[dict[str, Any]], columns: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        _write(json_lines(rows))
        return
    shown = list(columns)
    table = _table(*(column.replace("_", " ") for column in shown))
    for row in rows:
        table.add_row(*(_cell(column, row[column]) for column in shown))
    output.out.print(table)
    if not rows:
        output.note("nothing was inspected in this time")


def _cell(column: str, value: Any) -> Any:
    if column == "defect_rate":
        return "–" if value is None else f"{value:.2%}"
    return _plain(str(value))


def _plain(text: str) -> Any:
    """No word of others is markup or moves the cursor."""
    from rich.text import Text

    return Text(visible(text))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        # A name is what somebody looks for and copies, a reason what they need: broken, never cut.
        table.add_column(column, overflow="fold")
    return table


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
