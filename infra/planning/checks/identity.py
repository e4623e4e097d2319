"""Names, ids and ARNs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from contract import limits
from infra.planning.checks.rule import Broken, rule
from infra.planning.model import Plan

_ID = re.compile(r"[a-zA-Z0-9:_-]+")
_GUIDE = "https://docs.aws.amazon.com/greengrass/v1/developerguide/"


@rule("FF101", "error", _GUIDE + "lambda-functions.html")
def distinct_functions(plan: Plan) -> Iterator[Broken]:
    """Every function has its own ARN, qualified by an alias or a version and not by `$LATEST`."""
    counts = Counter(function.arn for function in plan.functions)
    for function in plan.functions:
        subject = f"function {function.id}"
        if counts[function.arn] > 1:
            yield subject, f"shares {function.arn}.", "Give every function its own name."
        qualifier = function.arn.split(":function:")[-1].partition(":")[2]
        if qualifier in {"", "$LATEST"}:
            yield (
                subject,
                f"{function.arn} is not qualified.",
                "Name an alias or a version, not $LATEST.",
            )


@rule("FF102", "error", limits.ID_CHARS.source)
def ids(plan: Plan) -> Iterator[Broken]:
    """Ids are distinct within their definition, at most 128 characters of `a-zA-Z0-9:_-`."""
    definitions: dict[str, Iterable[str]] = {
        "function": [f.id for f in plan.functions] + [f.id for f in plan.system_functions],
        "device": [device.id for device in plan.devices],
        "resource": [resource.id for resource in plan.resources],
        "subscription": [each.id for each in plan.subscriptions],
        "logger": [logger.id for logger in plan.loggers],
    }
    for kind, found in definitions.items():
        for each, count in Counter(found).items():
            if count > 1:
                yield f"{kind} {each}", f"appears {count} times.", "Give each its own id."
            if not _ID.fullmatch(each) or len(each) > limits.ID_CHARS.value:
                yield f"{kind} {each}", "is not a valid id.", "Use shorter, plain names."


@rule("FF103", "error", limits.CORE_THING_NAME_BYTES.source)
def name_lengths(plan: Plan) -> Iterator[Broken]:
    """Names fit: core thing 124 bytes, other things 128 characters, functions 64 characters."""
    named = [("core thing", plan.core.name, limits.CORE_THING_NAME_BYTES, "site's core.thing")]
    named += [
        ("thing", device.name, limits.THING_NAME_CHARS, "site's core.thing or the camera's name")
        for device in plan.devices
    ]
    named += [
        ("function", each.name, limits.FUNCTION_NAME_CHARS, "site's name")
        for each in plan.functions
    ]
    for kind, name, limit, knob in named:
        if len(name) > limit.value:
            yield f"{kind} {name}", f"is {len(name)} long, {limit} allowed.", f"Shorten the {knob}."
