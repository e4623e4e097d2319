"""Another version of the core, by the launcher that started this one (docs/spec/launcher.md).

This side writes the archive, then ``request.json`` by a rename; the launcher stops this core,
starts the other one on trial, goes back where it is not ready, and leaves ``result.json``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import edgecore
from edgecore.disk.layout import write_durably
from edgecore.jobs.document import CoreVersion

FORMAT = 1


class CoreUpdate:
    """``folder`` None: no launcher, no other version."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        named = given.get("FANFOLD_LAUNCHER")
        self.folder = Path(named) if named else None
        self.version = given.get("FANFOLD_VERSION") or edgecore.__version__

    def wanted(self, core: CoreVersion | None) -> bool:
        return core is not None and core.version not in (self.version, edgecore.__version__)

    def request(self, core: CoreVersion, archive: Path) -> None:
        """Asks once: what an earlier request left is forgotten. Raises ``OSError``."""
        assert self.folder is not None  # noqa: S101 - asked before
        (self.folder / "result.json").unlink(missing_ok=True)
        kept = self.folder / f"{core.artifact.sha256}.archive"
        beside = kept.with_suffix(".new")
        shutil.copyfile(archive, beside)
        beside.replace(kept)
        facts = {"v": FORMAT, "archive": str(kept), "sha256": core.artifact.sha256}
        write_durably(self.folder / "request.json", json.dumps(facts))

    def failure(self, core: CoreVersion) -> str | None:
        """Why the launcher is back with this version, or never left it; None: not known."""
        if self.folder is None:
            return None
        try:
            said = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
            outcome, reason = str(said["outcome"]), str(said["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if outcome not in ("went_back", "not_installed"):
            return None
        return f"core {core.version}: {outcome.replace('_', ' ')}: {reason}; this is {self.version}"
