"""The fleet page: one HTML file with everything in it, to keep, to mail, or to serve."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from fanfold.fleet.row import WORST, Row

_MARK = "/*FLEET*/"
REFRESH_S = 15.0


def data_of(rows: Iterable[Row], read_at: float, where: str, refresh_s: float = 0.0) -> Any:
    """What the page shows. `refresh_s` 0: it is a file, which only grows older."""
    listed = sorted((row.as_data() for row in rows), key=_order)
    return {"v": 1, "read_at": read_at, "where": where, "refresh_s": refresh_s, "sites": listed}


def _order(site: dict[str, Any]) -> tuple[int, str]:
    """The worst first."""
    return WORST.index(site["verdict"]), site["site"]


def page(data: Any) -> str:
    """HTML. What devices and files said is data in it: no text of theirs can end the script."""
    html = resources.files("fanfold.fleet").joinpath("static/fleet.html").read_text("utf-8")
    text = json.dumps(data, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return html.replace(_MARK, text, 1)
