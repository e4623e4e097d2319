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


def pruned(state: Json) -> Json:
    """Without empty objects, which a service of shadows may or may not keep."""
    made: Json = {}
    for key, value in state.items():
        below = pruned(value) if isinstance(value, dict) else value
        if below != {}:
            made[key] = below
    return made


def merged(base: Json, here: Json, cloud: Json) -> tuple[Json, Json]:
    """(patch for the cloud, patch for here); empty dictionaries where nothing is to be done."""
    to_cloud: Json = {}
    to_here: Json = {}
    for section in SECTIONS:
        old, ours, theirs = (pruned(state.get(section) or {}) for state in (base, here, cloud))
        changes = [difference(old, ours), difference(old, theirs)]
        first, last = changes if section == "desired" else reversed(changes)
        result = pruned(patched(patched(old, first), last))
        if up := difference(theirs, result):
            to_cloud[section] = up
        if down := difference(ours, result):
            to_here[section] = down
    return to_cloud, to_here
