"""The page of a replay: one HTML file with its pictures inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from html import escape
from typing import Any

import cv2
import numpy as np

from replay.compare import Worst

SIDE_PX = 320
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;
color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .9rem .25rem 0;text-align:left;
border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}
.worst{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1.25rem}
figure{margin:0;border:1px solid #ddd;border-radius:6px;overflow:hidden}
figure img,.none{width:100%;height:14rem;object-fit:contain;background:#eee;display:grid;
place-items:center;color:#666}
figcaption{padding:.6rem .8rem;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{background:#16181b;color:#e8e8e8}
td,th,figure{border-color:#3a3d42}figure img,.none{background:#24272b}}
"""


def page(report: dict[str, Any], worst: list[Worst], read: Callable[[str], bytes]) -> str:
    """`report` as report.json; `read` gives an image's bytes by its name."""
    model = report["model"]
    title = f"Replay of {model['name']} {model['version']}"
    figures = "".join(_shown(each, read) for each in worst)
    against = report.get("against")
    compared = _compared(against) if against else "<p>Compared with nothing (--against).</p>"
    pictures = f"<h2>Worst disagreements</h2><div class=worst>{figures}</div>" if worst else ""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{report['images']:,} images of {escape(report['archive'])}: "
        f"{report['ok']:,} ok, {sum(report['failed'].values()):,} failed.</p>"
        f"{_table(('failed because', 'images'), sorted(report['failed'].items()))}"
        f"{compared}{pictures}</html>\n"
    )


def _compared(against: dict[str, Any]) -> str:
    tasks = [
        (task, f"{row['images']:,}", f"{100 * row['share']:.2f} %")
        for task, row in against["agreement"].items()
    ]
    flips = [(row["live"], row["replayed"], f"{row['count']:,}") for row in against["flips"][:25]]
    drift = against["score_drift"]
    said = "no scores to compare"
    if drift["count"]:
        said = (
            f"mean {drift['mean']:+.4f}, 1 % below {drift['p1']:+.3f}, median {drift['p50']:+.3f}, "
            f"1 % above {drift['p99']:+.3f}"
        )
    return (
        f"<h2>Against what was recorded live</h2><p>{against['compared']:,} images compared, "
        f"{against['not_recorded']:,} have no live record. Score drift: {escape(said)}.</p>"
        f"{_regions(against['with_region'])}"
        f"{_table(('task', 'images', 'agreement'), tasks)}"
        f"{_table(('live', 'replayed', 'times'), flips)}"
    )


def _regions(images: int) -> str:
    said = (
        f"{images:,} of them were recorded with a region or masks of their camera; here the model "
        "saw the whole picture: what is hidden live may be found, and counts as a disagreement."
    )
    return f"<p>{said}</p>" if images else ""


def _table(heads: tuple[str, ...], rows: list[Any]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(head)}" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in row) for row in rows)
    return f"<table><tr>{top}{body}</table>"


def _shown(worst: Worst, read: Callable[[str], bytes]) -> str:
    """What a hook or another version recorded may have another form; the page is made anyway."""
    try:
        return _figure(worst, read)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name, why = escape(_clean(worst.file)), escape(repr(error))
        return f"<figure><figcaption><b>{name}</b><br>cannot be drawn: {why}</figcaption></figure>"


def _figure(worst: Worst, read: Callable[[str], bytes]) -> str:
    return (
        f"<figure>{_picture(worst, read)}<figcaption><b>{escape(_clean(worst.file))}</b><br>"
        f"live: {escape(_answer(worst.live))}<br>replayed: {escape(_answer(worst.replayed))}"
        "</figcaption></figure>"
    )


def _picture(worst: Worst, read: Callable[[str], bytes]) -> str:
    try:
        image = cv2.imdecode(np.frombuffer(read(worst.file), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        image = None
    if image is None:
        return "<div class=none>no picture: it cannot be read or decoded</div>"
    ratio = SIDE_PX / max(image.shape[:2])
    if ratio < 1:
        image = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    for record, colour in ((worst.live, (0, 140, 255)), (worst.replayed, (255, 120, 0))):
        _draw(image, record, colour)
    encoded = base64.b64encode(cv2.imencode(".jpg", image)[1].tobytes()).decode()
    return f'<img alt="{escape(_clean(worst.file))}" src="data:image/jpeg;base64,{encoded}">'


def _draw(image: Any, record: dict[str, Any], colour: tuple[int, int, int]) -> None:
    """Boxes: what was live in orange, what was replayed in blue."""
    height, width = image.shape[:2]
    for found in (record.get("output") or {}).get("boxes", [])[:50]:
        x0, y0, x1, y1 = found["box"]
        start, end = (int(x0 * width), int(y0 * height)), (int(x1 * width), int(y1 * height))
        cv2.rectangle(image, start, end, colour, 2)


def _answer(record: dict[str, Any]) -> str:
    if record.get("status") != "ok":
        return f"{record.get('status')}: {record.get('reason', '')}"
    output = record.get("output") or {}
    found = output.get("boxes", output.get("top"))
    if not isinstance(found, list):
        return json.dumps(output)[:200]
    said = [
        f"{each.get('label') or each.get('index')} {each.get('score') or 0:.2f}"
        for each in found[:4]
    ]
    return ", ".join(said) or "nothing"


def _clean(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
