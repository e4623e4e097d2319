"""What is searched for, from the words of a form or a command line to SQL. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from edgecore.history.rows import STATUSES
from edgecore.history.schema import SCORE_SCALE

ANY = "1"
"""Of ``sample``: whichever rule kept it."""
MAX_PAGE = 1000
DEFAULT_PAGE = 100
MAX_NUMBER = (1 << 63) - 1
"""As SQLite takes it."""
LATEST_S = 253_402_300_799.0
"""The end of the year 9999."""
MAX_SCORE = 1e12
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
FIELDS = ("camera", "label", "status", "name", "job", "since", "until", "score_min",
    "score_max", "defect", "sample", "limit", "before")  # fmt: skip


class QueryError(ValueError):
    """A field of the search is wrong; the text says field, value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """Times in epoch seconds; ``sample``: a rule's name, or ANY; ``before``: (milliseconds,
    number) of the last row of a page."""

    camera: str = ""
    label: str = ""
    status: str = ""
    name: str = ""
    job: str = ""
    since: float | None = None
    until: float | None = None
    score_min: float | None = None
    score_max: float | None = None
    defect: bool = False
    sample: str = ""
    limit: int = DEFAULT_PAGE
    before: tuple[int, int] | None = None

    @property
    def is_pattern(self) -> bool:
        """Its name begins anywhere: no index is ordered by that."""
        return any(c in self.name for c in "*?")


def parse(given: Mapping[str, str], now: float, zone: tzinfo) -> Query:
    """Empty values count as not given. Raises QueryError."""
    known = {k: v for k, v in given.items() if v != ""}
    if unknown := sorted(known.keys() - set(FIELDS)):
        raise QueryError(f"{', '.join(unknown)}: no such field; fields: {', '.join(FIELDS)}")
    status = known.get("status", "")
    if status and status not in STATUSES:
        raise QueryError(f"status {status!r:.40}: pass one of {', '.join(STATUSES)}")
    since, until = period(known.get("since"), known.get("until"), now, zone)
    return Query(
        camera=known.get("camera", ""), label=known.get("label", ""), status=status,
        name=known.get("name", ""), job=known.get("job", ""), since=since, until=until,
        score_min=_number(known, "score_min"), score_max=_number(known, "score_max"),
        defect=known.get("defect", "") in {"1", "true", "yes", "on"},
        sample=known.get("sample", ""),
        limit=_limit(known.get("limit")), before=_before(known.get("before")),
    )  # fmt: skip


def period(
    since: str | None, until: str | None, now: float, zone: tzinfo
) -> tuple[float | None, float | None]:
    """Raises QueryError, also for one that ends before it begins: it would find nothing."""
    first, last = moment(since, now, zone, "since"), moment(until, now, zone, "until")
    if first is not None and last is not None and last <= first:
        raise QueryError(
            f"until {until!r:.40} is not after since {since!r:.40}: pass the earlier as since"
        )
    return first, last


def moment(text: str | None, now: float, zone: tzinfo, field: str) -> float | None:
    """``90s``, ``15m``, ``2h``, ``7d`` ago, epoch seconds, or a local time ``2026-11-25T14:00``."""
    if text is None:
        return None
    try:
        if text[-1] in UNITS_S and text[:-1].isdigit():
            return now - timedelta(seconds=int(text[:-1]) * UNITS_S[text[-1]]).total_seconds()
        if text.replace(".", "", 1).isdigit() and len(text) >= 9:
            return _possible(float(text))
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise QueryError(
            f"{field} {text!r:.40}: pass 90s, 15m, 2h or 7d ago, or a time such as 2026-11-25T14:00"
        ) from None


def _possible(t: float) -> float:
    if t > LATEST_S:
        raise ValueError(t)
    return t


def _number(given: Mapping[str, str], field: str) -> float | None:
    if field not in given:
        return None
    try:
        found = float(given[field])
    except ValueError:
        found = math.nan
    if not abs(found) <= MAX_SCORE:  # nor is NaN
        raise QueryError(f"{field} {given[field]!r:.40}: pass a number such as 0.8")
    return found


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PAGE):
        raise QueryError(f"limit {text!r:.40}: pass 1 to {MAX_PAGE}")
    return int(text)


def _before(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    t, _, number = text.partition(".")
    found = whole(t.removeprefix("-")), whole(number)
    if found[0] is None or found[1] is None:
        raise QueryError(f"before {text!r:.40}: pass the `next` of the page before")
    return -found[0] if t.startswith("-") else found[0], found[1]


def whole(text: str) -> int | None:
    """A number that the database can hold; None: it is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_NUMBER):
        return None
    return int(text)


@dataclass(frozen=True)
class Sql:
    text: str
    values: list[Any]


_COLUMNS = "i.id,i.t,i.camera,i.seq,i.status,i.label,i.score,i.defect,i.name,i.folder,i.image_id,\
i.job,i.worker,i.model,i.reason,i.detail,i.ms,i.labels,\
(SELECT rule FROM samples WHERE image=i.id)"


def sql_of(
    query: Query,
    words: Mapping[str, int | None],
    *,
    names_first: bool = False,
    since_ms: int | None = None,
) -> Sql | None:
    """``words``: numbers of the camera, label and job asked for; None: such a word never came,
    and nothing can be found. ``names_first``: a pattern is looked up in the index of names.
    ``since_ms``: nothing older, whatever was asked for."""
    for field in ("camera", "label", "job"):
        if getattr(query, field) and words.get(field) is None:
            return None
    by_label = bool(query.label)
    source = "labels l CROSS JOIN images i ON i.id=l.image" if by_label else "images i"
    t, number = ("l.t", "l.image") if by_label else ("i.t", "i.id")
    found = [
        *([Sql(f"{t}>=?", [since_ms])] if since_ms is not None else []),
        *_what(query, words, names_first=names_first),
        *_when(query, t, number),
        *_scores(query, by_label),
    ]
    text = f"SELECT {_COLUMNS} FROM {source}"  # noqa: S608 - values are bound
    text += f" WHERE {' AND '.join(c.text for c in found)}" if found else ""
    text += f" ORDER BY {t} DESC, {number} DESC LIMIT ?"
    return Sql(text, [*(value for c in found for value in c.values), query.limit])


def _what(query: Query, words: Mapping[str, int | None], *, names_first: bool) -> Iterator[Sql]:
    if query.label:
        yield Sql("l.label=?", [words["label"]])
    if query.camera:
        yield Sql("i.camera=?", [words["camera"]])
    if query.job:
        yield Sql("i.job=?", [words["job"]])
    if query.status:
        code = STATUSES.index(query.status)
        yield Sql("i.status=?" + (" AND i.status>0" if code else ""), [code])
    if query.defect:
        yield Sql("i.defect=1", [])
    if query.sample:
        some = "" if query.sample == ANY else "WHERE rule=?"
        values = [query.sample] if some else []
        yield Sql(f"i.id IN (SELECT image FROM samples {some})", values)  # noqa: S608 - bound
    if query.name:
        yield _by_name(query, names_first)


def _when(query: Query, t: str, number: str) -> Iterator[Sql]:
    if query.since is not None:
        yield Sql(f"{t}>=?", [int(query.since * 1000)])
    if query.until is not None:
        yield Sql(f"{t}<?", [int(query.until * 1000)])
    if query.before is not None:
        yield Sql(f"({t},{number})<(?,?)", list(query.before))


def _scores(query: Query, by_label: bool) -> Iterator[Sql]:
    score = "l.score" if by_label else "i.score"
    if query.score_min is not None:
        yield Sql(f"{score}>=?", [round(query.score_min * SCORE_SCALE)])
    if query.score_max is not None:
        yield Sql(f"{score}<=?", [round(query.score_max * SCORE_SCALE)])


def _by_name(query: Query, names_first: bool) -> Sql:
    """The beginning of a name, which the index answers; with ``*`` or ``?`` a pattern."""
    name = query.name
    pattern = name.replace("[", "[[]")  # it stands for itself, as in shot[3].jpg
    if query.is_pattern and names_first:
        return Sql("i.id IN (SELECT id FROM images WHERE name GLOB ?)", [pattern])
    if query.is_pattern:
        return Sql("i.name GLOB ?", [pattern])
    return Sql("i.name>=? AND i.name<?", [name, name + "\U0010ffff"])


def zone_now(zone: tzinfo, t: float) -> str:
    """``2026-11-25T14:03:07.123+01:00``."""
    return datetime.fromtimestamp(t, timezone.utc).astimezone(zone).isoformat("T", "milliseconds")
