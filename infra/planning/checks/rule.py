"""A rule: a code, a level, a sentence, and a function that yields what breaks it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.planning.findings import Finding, Level
from infra.planning.model import Plan

# What a rule yields: subject, message (value and limit), remedy.
Broken = tuple[str, str, str]
Search = Callable[[Plan], Iterator[Broken]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One named check. `text` is the rule itself, in words; `source` says who made it."""

    code: str
    level: Level
    text: str
    source: str
    search: Search

    def __call__(self, plan: Plan) -> list[Finding]:
        """Every finding of this rule, in the plan's order."""
        return [Finding(self.code, self.level, *broken) for broken in self.search(plan)]


def rule(code: str, level: Level, source: str) -> Callable[[Search], Rule]:
    """Make a rule of a generator; its docstring is the rule's text."""

    def wrap(search: Search) -> Rule:
        text = " ".join((inspect.getdoc(search) or "").split())
        return Rule(code, level, text, source, search)

    return wrap
