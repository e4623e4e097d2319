"""Reading model.json: each value with its name, its limit and what is allowed.

Pure and standard library only.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Any, Iterable, Sequence

from lambdas.model.errors import ModelError

MANIFEST = "model.json"

#: Keys that people write for themselves; they may stand anywhere.
_REMARK = re.compile(r"(//|_|x-).*|comment\Z")


class Fields:
    """One JSON object of model.json; `where` is its path for messages ("input")."""

    def __init__(self, document: Any, where: str, known: Iterable[str]) -> None:
        """Raises `ModelError` where it is no object or has a key that is not known."""
        self.where = where
        if not isinstance(document, dict):
            raise ModelError(f"{MANIFEST}: {where} is {document!r:.80}, use an object")
        self._document = document
        self._known = sorted(known)
        for key in document:
            if key not in self._known and not _REMARK.match(key):
                raise ModelError(self._unknown(key))

    def _unknown(self, key: str) -> str:
        near = difflib.get_close_matches(key, self._known, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(self._known)}"
        return f"{MANIFEST}: {self.path(key)} is not known here; {hint}"

    def __contains__(self, key: str) -> bool:
        return key in self._document

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def raw(self, key: str, default: Any = None) -> Any:
        return self._document.get(key, default)

    def fault(self, key: str, use: str) -> ModelError:
        return ModelError(f"{MANIFEST}: {self.path(key)} is {self.raw(key)!r:.80}; {use}")

    def object(self, key: str, known: Iterable[str], default: Any = None) -> Fields:
        return Fields(self.raw(key, default), self.path(key), known)

    def mapping(self, key: str, default: Any = None) -> dict[str, Any]:
        value = self.raw(key, default)
        if not isinstance(value, dict):
            raise self.fault(key, "use an object")
        return value

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        value = self.raw(key, default)
        if value in allowed:
            return str(value)
        near = difflib.get_close_matches(str(value), allowed, 1, 0.75)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        named = ", ".join(each for each in allowed if each)
        raise self.fault(key, f"use one of {named}{hint}")

    def match(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.raw(key)
        if not isinstance(value, str) or not pattern.match(value):
            raise self.fault(key, f"it must match {pattern.pattern}")
        return value

    def text(self, key: str, default: str) -> str:
        value = self.raw(key, default)
        if not isinstance(value, str) or not value:
            raise self.fault(key, "use text")
        return value

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        value = self.raw(key, default)
        if key not in self._document:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.fault(key, f"use {low} to {high}")
        return value

    def number(
        self, key: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        value = self.raw(key, default)
        if key not in self._document:
            return default
        if not is_number(value):
            raise self.fault(key, "use a number")
        if not low <= value <= high:
            raise self.fault(key, f"use {low:g} to {high:g}")
        return float(value)

    def boolean(self, key: str, default: bool | None) -> bool | None:
        value = self.raw(key, default)
        if value is not default and not isinstance(value, bool):
            raise self.fault(key, "use true or false")
        return value

    def numbers(self, key: str, count: int, default: float) -> tuple[float, ...]:
        """`count` numbers, or one that stands for all."""
        value = self.raw(key, [default] * count)
        if is_number(value):
            value = [value] * count
        if not (isinstance(value, list) and len(value) == count and all(map(is_number, value))):
            raise self.fault(key, f"use {count} number(s), one per channel")
        return tuple(float(n) for n in value)


def is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)
