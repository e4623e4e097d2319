"""A canary in one line, for the verbs that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract.status import CanaryStatus
from edgecore.history.text import visible


def canary_line(report: CanaryStatus) -> str:
    """One line: what is compared, how far it is, what came of it."""
    images = int(report["rule"]["images"])
    line = (
        f"canary: {report['state']}, {_name(report.get('model'))} against "
        f"{_name(report.get('against'))}: {report['disagreed']} of {report['compared']} images "
        f"differ ({images} wanted)"
    )
    return visible(f"{line}: {report['reason']}" if report["reason"] else line)


def _name(model: Mapping[str, Any] | None) -> str:
    return f"{model.get('name')} {model.get('version')}" if model else "(not heard yet)"
