"""The runtime override: functions made with a runtime that AWS Lambda still creates, run with the
one that the core has (docs/guides/runtime-override.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.planning import Finding, InvalidInput

#: Created until 2029-07-31; nothing of the code runs there, so any live runtime would do.
CLOUD_RUNTIME = "python3.13"
_PYTHON = re.compile(r"python3\.\d{1,2}")


@dataclass(frozen=True, slots=True)
class RuntimeOverride:
    """`device` is what the core runs, `cloud` what AWS Lambda is told."""

    device: str
    cloud: str = CLOUD_RUNTIME


def override_of(device: str | None, cloud: str | None) -> RuntimeOverride | None:
    """From the context `runtime_override` and `cloud_runtime`. Raises InvalidInput."""
    if not device and not cloud:
        return None
    found = RuntimeOverride(device or "", cloud or CLOUD_RUNTIME)
    for name, value in (("runtime_override", found.device), ("cloud_runtime", found.cloud)):
        if not _PYTHON.fullmatch(value):
            said = f"{value!r} is not a Python runtime; allowed: python3.N."
            remedy = "Use -c runtime_override=python3.8 (and -c cloud_runtime=python3.13)."
            raise InvalidInput([Finding("FF004", "error", f"-c {name}", said, remedy)])
    return found
