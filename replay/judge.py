"""What two models said about one image: pure. Scores are 0…1."""

from __future__ import annotations

from typing import Any, NamedTuple

from contract.messages import Record

#: Boxes of which so much is shared are of the same thing (PASCAL VOC's limit).
SAME_BOX = 0.5
NOTHING = "(nothing)"


class Judgement(NamedTuple):
    """`flips`: (live label, replayed label); `drifts`: replayed − live score, same label.

    `weight`: how bad the disagreement is, for the page of the worst; 0 where they agree.
    """

    agree: bool
    flips: tuple[tuple[str, str], ...]
    drifts: tuple[float, ...]
    weight: float


def judge(live: Record, replayed: Record) -> Judgement:
    if live.get("status") != "ok" or replayed.get("status") != "ok":
        before, now = _status(live), _status(replayed)
        flips = () if before == now else ((before, now),)
        return Judgement(before == now, flips, (), 2.0 if flips else 0.0)
    if "boxes" in live.get("output", {}) or "boxes" in replayed.get("output", {}):
        return _boxes(live["output"].get("boxes", []), replayed["output"].get("boxes", []))
    return _classes(live.get("output", {}), replayed.get("output", {}))


def _status(record: Record) -> str:
    status = str(record.get("status"))
    return status if status == "ok" else f"{status} ({record.get('reason', 'no reason')})"


def _classes(live: Record, replayed: Record) -> Judgement:
    before, now = _best(live), _best(replayed)
    if _label(before) == _label(now):
        drift = _score(now) - _score(before)
        return Judgement(True, (), (drift,) if before else (), abs(drift) / 2)
    flip = (_label(before), _label(now))
    return Judgement(False, (flip,), (), max(_score(before), 0.01) + _score(now))


def _best(output: Record) -> Any:
    top = output.get("top") or []
    return top[0] if top else None


def _label(found: Any) -> str:
    if not found:
        return NOTHING
    return str(found.get("label") or found.get("index"))


def _score(found: Any) -> float:
    score = found.get("score") if found else None
    return float(score) if score is not None else 0.0


def _boxes(live: list[Any], replayed: list[Any]) -> Judgement:
    """Greedy, the most overlapping first; a box left over on either side is a flip to nothing."""
    pairs = sorted(
        ((iou(a["box"], b["box"]), i, j) for i, a in enumerate(live)
         for j, b in enumerate(replayed)), key=lambda pair: (-pair[0], pair[1], pair[2]),
    )  # fmt: skip
    free_live, free_now = set(range(len(live))), set(range(len(replayed)))
    flips: list[tuple[str, str]] = []
    drifts: list[float] = []
    weight = 0.0
    for overlap, i, j in pairs:
        if overlap < SAME_BOX or i not in free_live or j not in free_now:
            continue
        free_live.remove(i)
        free_now.remove(j)
        if _label(live[i]) == _label(replayed[j]):
            drifts.append(_score(replayed[j]) - _score(live[i]))
        else:
            flips.append((_label(live[i]), _label(replayed[j])))
            weight += _score(live[i]) + _score(replayed[j])
    for i in sorted(free_live):
        flips.append((_label(live[i]), NOTHING))
        weight += _score(live[i])
    for j in sorted(free_now):
        flips.append((NOTHING, _label(replayed[j])))
        weight += _score(replayed[j])
    if not flips:
        weight = max((abs(drift) for drift in drifts), default=0.0) / 2
    return Judgement(not flips, tuple(flips), tuple(drifts), weight)


def iou(a: list[float], b: list[float]) -> float:
    """Intersection over union of [x0, y0, x1, y1]; 0 for empty boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (areas - shared)
