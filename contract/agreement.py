"""Whether two models agree about one image, by task: pure. Scores are 0…1.

`replay` compares an archive with it, the core's canary live images. Classification: the same best
class. Boxes, of instances too: matched by overlap, each with its class. Segmentation: the same
class on most of the picture. Anomaly: the same side of the threshold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from contract.areas import iou, shared_pixels, spans
from contract.messages import Record

#: Boxes of which so much is shared are of the same thing (PASCAL VOC's limit).
SAME_BOX = 0.5
#: A class that covers less of a picture for both models is noise at its edges.
SOME_AREA = 0.01
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
    """`live`: the one that is there; `replayed`: the other's answer to the same image."""
    if live.get("status") != "ok" or replayed.get("status") != "ok":
        before, now = _status(live), _status(replayed)
        flips = () if before == now else ((before, now),)
        return Judgement(before == now, flips, (), 2.0 if flips else 0.0)
    outputs = live.get("output") or {}, replayed.get("output") or {}
    try:
        return _outputs(*outputs)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return _whole(*outputs)  # a hook's own, under one of our names


def _outputs(live: Record, replayed: Record) -> Judgement:
    both = live.keys() & replayed.keys()
    if "boxes" in both:
        return _boxes(live["boxes"], replayed["boxes"])
    if "classes" in both:
        return _areas(live["classes"], replayed["classes"])
    if "anomalous" in both:
        return _anomaly(live, replayed)
    if "top" in both:
        return _best_class(live, replayed)
    return _whole(live, replayed)


def _status(record: Record) -> str:
    status = str(record.get("status"))
    return status if status == "ok" else f"{status} ({record.get('reason', 'no reason')})"


def _best_class(live: Record, replayed: Record) -> Judgement:
    before, now = _best(live), _best(replayed)
    if _label(before) == _label(now):
        drift = _score(now) - _score(before)
        return Judgement(True, (), (drift,) if before else (), abs(drift) / 2)
    flip = (_label(before), _label(now))
    return Judgement(False, (flip,), (), max(_score(before), 0.01) + _score(now))


def _whole(live: Record, replayed: Record) -> Judgement:
    """Of different tasks, or what a site's own hook makes of an output: its parts are unknown."""
    if live == replayed:
        return Judgement(True, (), (), 0.0)
    return Judgement(False, (("an output", "another output"),), (), 1.0)


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
    return Judgement(not flips, tuple(flips), tuple(drifts), max(weight, 0.01 * len(flips)))


def _areas(live: list[Any], replayed: list[Any]) -> Judgement:
    """Each class that covers something has to lie at the same place, as a box has. Drifts are of
    the classes' shares of the picture."""
    before = {_label(each): each for each in live}
    now = {_label(each): each for each in replayed}
    flips: list[tuple[str, str]] = []
    drifts: list[float] = []
    weight = 0.0
    for label in sorted({*before, *now}):
        shares = _share(before.get(label)), _share(now.get(label))
        drifts.append(shares[1] - shares[0])
        if max(shares) < SOME_AREA or _overlap(before.get(label), now.get(label)) >= SAME_BOX:
            continue
        weight += max(shares)
        there = "elsewhere" if min(shares) >= SOME_AREA else NOTHING
        flips.append((label, there) if shares[0] >= SOME_AREA else (NOTHING, label))
    if not flips:
        weight = max((abs(drift) for drift in drifts), default=0.0) / 2
    return Judgement(not flips, tuple(flips), tuple(drifts), weight)


def _overlap(live: Any, replayed: Any) -> float:
    """Intersection over union of one class's areas; without masks, what it can be at most."""
    masks = [each.get("mask") if each else None for each in (live, replayed)]
    if masks[0] and masks[1] and masks[0]["size"] == masks[1]["size"]:
        before, now = spans(masks[0]), spans(masks[1])
        shared = shared_pixels(before, now)
        whole = sum(end - start for start, end in (*before, *now)) - shared
        return shared / whole if whole else 1.0
    shares = sorted((_share(live), _share(replayed)))
    return shares[0] / shares[1] if shares[1] else 1.0


def _share(found: Any) -> float:
    return float(found.get("share") or 0.0) if found else 0.0


def _anomaly(live: Record, replayed: Record) -> Judgement:
    before, now = _side(live), _side(replayed)
    drift = _score(replayed) - _score(live)
    if before == now:
        return Judgement(True, (), (drift,), abs(drift) / 2)
    return Judgement(False, ((before, now),), (drift,), 1 + abs(drift))


def _side(output: Record) -> str:
    anomalous = output.get("anomalous")
    return NOTHING if anomalous is None else "anomalous" if anomalous else "normal"
