"""What a canary found, kept on the device: ``canary/report.json`` of the state directory."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import cast

from contract.status import CanaryStatus
from edgecore.core.stats import mapping
from edgecore.disk import layout

log = logging.getLogger(__name__)

FORMAT = 1
UNDER_WAY = ("starting", "comparing")
MAX_PROVED = 50


class ReportStore:
    """The last report, and the models that have served here to the end of their trial."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "canary"

    def report(self) -> CanaryStatus | None:
        """None: there was none, or its file cannot be read."""
        found = self._read("report.json")
        return cast("CanaryStatus", found) if found.get("v") == FORMAT else None

    def keep(self, report: CanaryStatus) -> None:
        self._write("report.json", json.dumps(report) + "\n")

    def has_served(self, model: str) -> bool:
        return model in self._proved()

    def record_served(self, model: str) -> None:
        """The newest last; so many are remembered."""
        known = [each for each in self._proved() if each != model]
        if not known or [*known, model] != self._proved():
            models = [*known, model][-MAX_PROVED:]
            self._write("proved.json", json.dumps({"v": FORMAT, "models": models}) + "\n")

    def _proved(self) -> list[str]:
        models = self._read("proved.json").get("models")
        return [str(each) for each in models] if isinstance(models, list) else []

    def _read(self, name: str) -> dict[str, object]:
        try:
            return dict(mapping(json.loads((self._folder / name).read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            return {}

    def _write(self, name: str, text: str) -> None:
        """A disk that is full costs the report, never the comparison."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            layout.write_durably(self._folder / name, text)
        except OSError as error:
            log.warning("%s: %s; it is kept in memory", self._folder / name, error.strerror)
