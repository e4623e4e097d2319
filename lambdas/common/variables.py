"""Typed values out of an environment; all problems are reported at once."""

from __future__ import annotations

import os
from typing import Callable, Mapping, TypeVar

from contract.topics import is_name

_NAME_RULE = "use a-z, 0-9 and '-', at most 41 characters"
_REQUIRED = object()
Number = TypeVar("Number", int, float)


class SettingsError(ValueError):
    """All that is wrong with the environment; `problems` has one line per variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("environment refused:\n" + "\n".join("  " + p for p in problems))
        self.problems = problems


class Reader:
    """Reads typed values and remembers every problem instead of stopping at the first."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def text(self, name: str, default: object = _REQUIRED) -> str:
        value = self.env.get(name, "").strip()
        if value:
            return value
        if default is _REQUIRED:
            self.problems.append(f"{name} is missing")
            return ""
        return str(default)

    def name(self, variable: str) -> str:
        value = self.text(variable)
        if value and not is_name(value):
            self.problems.append(f"{variable}={value!r}: {_NAME_RULE}")
        return value

    def names(self, variable: str) -> tuple[str, ...]:
        found = tuple(v.strip() for v in self.text(variable).split(",") if v.strip())
        bad = [v for v in found if not is_name(v)]
        if bad:
            self.problems.append(f"{variable}: {', '.join(map(repr, bad))}: {_NAME_RULE}")
        if len(set(found)) != len(found):
            self.problems.append(f"{variable}={','.join(found)!r} names something twice")
        return found

    def topic(self, variable: str, default: object = _REQUIRED) -> str:
        value = self.text(variable, default)
        if "+" in value or "#" in value:
            self.problems.append(f"{variable}={value!r}: a topic to publish to has no wildcard")
        return value

    def prefix(self, variable: str) -> str:
        value = self.topic(variable)
        if value and not value.endswith("/"):
            self.problems.append(f"{variable}={value!r}: a topic prefix ends in '/'")
        return value

    def path(self, variable: str) -> str:
        value = self.text(variable)
        if value and not os.path.isabs(value):
            self.problems.append(f"{variable}={value!r}: give an absolute path")
        return value

    def choice(self, variable: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(variable, default)
        if value not in allowed:
            self.problems.append(f"{variable}={value!r}: use one of {', '.join(allowed)}")
        return value

    def integer(self, variable: str, default: int, low: int, high: int) -> int:
        return self._number(variable, default, low, high, int)

    def seconds(self, variable: str, default: float, low: float, high: float) -> float:
        return self._number(variable, default, low, high, float)

    def _number(
        self,
        variable: str,
        default: Number,
        low: Number,
        high: Number,
        kind: Callable[[str], Number],
    ) -> Number:
        value = self.text(variable, default)
        try:
            number = kind(value)
        except ValueError:
            self.problems.append(f"{variable}={value!r}: not a number")
            return default
        if not low <= number <= high:
            self.problems.append(f"{variable}={value}: use {low} to {high}")
        return number

    def finish(self) -> None:
        if self.problems:
            raise SettingsError(self.problems)
