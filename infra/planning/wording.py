"""Words for what a field takes: from its JSON Schema and the unit in its name."""

from __future__ import annotations

import re
from typing import Any

from contract.topics import NAME

# Suffix of a key → the unit's name, and what one of each written unit is in it.
_UNITS: dict[str, tuple[str, dict[str, float]]] = {
    "_kb": ("kilobytes", {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3}),
    "_mb": ("megabytes", {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}),
    "_bytes": ("bytes", {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}),
    "_s": ("seconds", {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600}),
}
_PATTERNS = {  # patterns of fields, in words
    f"^{NAME}$": "lower-case letters, digits and hyphens, 41 at most",
    r"^\d{12}$": "12 digits in quotes",
    r"^[a-z]{2}(-[a-z]+)+-\d$": "an AWS region such as us-east-1",
    r"^s3://[a-z0-9.-]{3,63}/.+\.(tar\.gz|zip)$": "s3://BUCKET/KEY ending in .tar.gz or .zip",
    r"^/[^\n]*[^/\n]$": "an absolute path",
    r"^/dev/[A-Za-z0-9._/-]+$": "a device file below /dev",
}


def allowed(schema: dict[str, Any]) -> str:
    """What a field takes, e.g. `auto or a whole number ≥ 1`."""
    choices = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    if choices:
        said = [allowed(choice) for choice in choices]
        return " or ".join(dict.fromkeys(word for word in said if word != "nothing"))
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    return _by_type(schema)


def _by_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        return _number("a whole number" if kind == "integer" else "a number", schema)
    if kind == "string":
        pattern = schema.get("pattern")
        return _PATTERNS.get(pattern, f"text matching {pattern}") if pattern else "text"
    if kind == "array":
        return "a list with an entry at least" if schema.get("minItems") else "a list"
    plain = {
        "boolean": "true, false",
        "null": "nothing",
        "object": "`key: value` lines below it",
    }
    return plain.get(str(kind), "`key: value` lines below it")


def _number(noun: str, schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    if "exclusiveMinimum" in schema:
        most = "" if high is None else f", at most {high:g}"
        return f"{noun} above {schema['exclusiveMinimum']}{most}"
    return noun if low is None else f"{noun} from {low} up"


def unit_hint(key: str, value: object) -> str:
    """`244 GB` for a key in megabytes → what to write instead; empty when there is no unit."""
    for suffix, (unit, factors) in _UNITS.items():
        if not key.endswith(suffix):
            continue
        match = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]*)\s*", str(value))
        factor = _factor(match.group(2).lower(), factors) if match else None
        if match is None or factor is None:
            return f"The unit is {unit}."
        amount = float(match.group(1)) * factor
        return f"The unit is {unit}: write {amount:.10g}."
    return "Write it in quotes." if key == "account" else ""


def _factor(written: str, factors: dict[str, float]) -> float | None:
    if written in factors:
        return factors[written]
    return factors.get(written[:1]) if written.endswith(("b", "ib")) else None
