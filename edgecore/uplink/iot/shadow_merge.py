"""Two copies of a shadow that changed apart, made one: a three-way merge. Pure.

A state is ``{"desired": {…}, "reported": {…}}``, a patch a state whose nulls remove keys, as
in AWS IoT's update documents. Where both sides changed the same key since they last agreed,
the cloud has the word on what is desired and the device on what is reported.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
SECTIONS = ("desired", "reported")


def difference(old: Json, new: Json) -> Json:
    """The patch that makes ``new`` of ``old``. Arrays are values, as in AWS IoT."""
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        known = old.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            if below := difference(known, value):
                patch[key] = below
        elif key not in old or known != value:
            patch[key] = value
    return patch


def patched(old: Json, patch: Json) -> Json:
    made = dict(old)
    for key, value in patch.items():
        below = made.get(key)
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict):
            made[key] = patched(below if isinstance(below, dict) else {}, value)
        else:
            made[key] = value
    return made


def without(patch: Json, other: Json) -> Json:
    """What of ``patch`` is about keys that ``other`` leaves alone."""
    left: Json = {}
    for key, value in patch.items():
        theirs = other.get(key)
        if key not in other:
            left[key] = value
        elif isinstance(value, dict) and isinstance(theirs, dict) and without(value, theirs):
            left[key] = without(value, theirs)
    return left


def merged(base: Json, here: Json, cloud: Json) -> tuple[Json, Json]:
    """(patch for the cloud, patch for here); empty dictionaries where nothing is to be done."""
    to_cloud: Json = {}
    to_here: Json = {}
    for section in SECTIONS:
        old, ours, theirs = (state.get(section) or {} for state in (base, here, cloud))
        our_change, their_change = difference(old, ours), difference(old, theirs)
        if section == "desired":
            up, down = without(our_change, their_change), their_change
        else:
            up, down = our_change, without(their_change, our_change)
        if up := difference(theirs, patched(theirs, up)):
            to_cloud[section] = up
        if down := difference(ours, patched(ours, down)):
            to_here[section] = down
    return to_cloud, to_here
