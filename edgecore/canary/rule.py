"""How long a new model is compared and what it may do worse: a site's ``canary``. Pure.

It comes as FANFOLD_CANARY with the new group (docs/spec/environment.md).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields

from edgecore.core.stats import mapping, number

log = logging.getLogger(__name__)

VARIABLE = "FANFOLD_CANARY"


@dataclass(frozen=True, kw_only=True)
class CanaryRule:
    """``max_disagreement``: share of the compared images; ``max_slowdown``: times the old model's
    inference time."""

    workers: int = 1
    images: int = 500
    max_disagreement: float = 0.05
    max_slowdown: float = 1.2
    limit_s: float = 3600.0


def rule_of(environment: Mapping[str, str]) -> CanaryRule | None:
    """None: the site asks for none. Never raises: what cannot be read holds its default."""
    text = environment.get(VARIABLE)
    if not text:
        return None
    default = CanaryRule()
    try:
        given = mapping(json.loads(text))
    except (ValueError, RecursionError) as error:
        log.warning("%s %.80r: %s; the defaults hold", VARIABLE, text, error)
        return default
    values = {}
    for field in fields(CanaryRule):
        standard = getattr(default, field.name)
        found = number(given.get(field.name))
        values[field.name] = type(standard)(found) if found is not None else standard
    return CanaryRule(**values)
