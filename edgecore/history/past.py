"""Charts and counters as a core before this one left them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecore.history.reader import NoHistoryError, Reader, TooSlowError

SPAN_S = {1: 600.0, 10: 21_600.0}
"""What the charts show of each resolution."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Past:
    points: Mapping[int, list[list[float]]] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def read_past(reader: Reader, now: float) -> Past:
    """Empty where there is none that reads: a chart that begins anew stops no core."""
    try:
        points = {
            every_s: [p for p in reader.points(every_s) if now - span_s <= p[0] <= now]
            for every_s, span_s in SPAN_S.items()
        }
        return Past(points, reader.totals())
    except NoHistoryError:
        return Past()
    except (TooSlowError, sqlite3.Error, ValueError) as error:
        log.warning("history: the charts begin anew: %s", error)
        return Past()
