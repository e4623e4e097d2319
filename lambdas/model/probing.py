"""A probe's expected answer against the one given: within its tolerances, or what differs."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Optional, Sequence

from lambdas.model.probe_spec import Probe

Entry = Dict[str, Any]
Check = Callable[[Probe, Any, Any], Optional[str]]


def difference(probe: Probe, answer: dict[str, Any], threshold: float) -> str | None:
    """The first thing that is wrong, in words; None: nothing."""
    checks: dict[str, Check] = {
        "top": _top,
        "boxes": partial(_boxes, threshold=threshold),
        "classes": _classes,
        "anomalous": _anomalous,
        "score": _score,
    }
    for key, check in checks.items():
        if key not in probe.expect:
            continue
        if key not in answer:
            return f"expected {key}, the answer has {', '.join(sorted(answer)) or 'nothing'}"
        problem = check(probe, probe.expect[key], answer[key])
        if problem:
            return problem
    return None


def _top(probe: Probe, expect: Sequence[Entry], given: Sequence[Entry]) -> str | None:
    if not expect or not given:
        return None if bool(expect) == bool(given) else "expected a class, none was given"
    wanted, found = expect[0], given[0]
    if found["index"] != wanted["index"]:
        return f"expected class {_named(wanted)}, answered {_named(found)} ({found['score']:.3f})"
    return _apart(probe, f"the score of {_named(found)}", wanted.get("score"), found["score"])


def _boxes(
    probe: Probe, expect: Sequence[Entry], given: Sequence[Entry], threshold: float
) -> str | None:
    free = list(given)
    sure = threshold + probe.score_tolerance
    for wanted in expect:
        fits = [box for box in free if _same_box(probe, wanted, box)]
        if fits:
            free.remove(fits[0])
        elif wanted.get("score", 1.0) >= sure:
            return (
                f"expected {_named(wanted)} at {wanted['box']} ({wanted.get('score', 1):.3f}), "
                f"{_nearest(wanted, given)}"
            )
    extra = next((box for box in free if box["score"] >= sure), None)
    if extra is not None:
        return f"answered {_named(extra)} at {extra['box']} ({extra['score']:.3f}), not expected"
    return None


def _same_box(probe: Probe, wanted: Entry, given: Entry) -> bool:
    corners = zip(wanted["box"], given["box"])
    return (
        wanted["index"] == given["index"]
        and all(abs(a - b) <= probe.box_tolerance for a, b in corners)
        and abs(wanted.get("score", given["score"]) - given["score"]) <= probe.score_tolerance
    )


def _nearest(wanted: Entry, given: Sequence[Entry]) -> str:
    if not given:
        return "answered no box"

    def away(box: Entry) -> float:
        return sum(abs(a - b) for a, b in zip(wanted["box"], box["box"]))

    near = min(given, key=away)
    return f"the nearest is {_named(near)} at {near['box']} ({near['score']:.3f})"


def _classes(probe: Probe, expect: Sequence[Entry], given: Sequence[Entry]) -> str | None:
    shares = {entry["index"]: entry["share"] for entry in given}
    for wanted in expect:
        share = shares.get(wanted["index"], 0.0)
        problem = _apart(probe, f"the share of {_named(wanted)}", wanted["share"], share)
        if problem:
            return problem
    return None


def _anomalous(probe: Probe, expect: bool, given: bool) -> str | None:  # noqa: ARG001
    words = {True: "anomalous", False: "normal"}
    return None if expect == given else f"expected {words[expect]}, answered {words[given]}"


def _score(probe: Probe, expect: float, given: float) -> str | None:
    return _apart(probe, "the score", expect, given)


def _apart(probe: Probe, what: str, expect: float | None, given: float) -> str | None:
    if expect is None or abs(expect - given) <= probe.score_tolerance:
        return None
    return f"{what} is {given:.3f}, expected {expect:.3f} ± {probe.score_tolerance:g}"


def _named(entry: Entry) -> str:
    return str(entry.get("label", entry["index"]))
