"""Where an installation keeps what, below `root` (`/` on a device, a folder for an image)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths as the device will know them; `on(path)` is where they are written now."""

    root: Path = Path("/")
    programs: Path = Path("/opt/fanfold")
    settings: Path = Path("/etc/fanfold")
    data: Path = Path("/var/lib/fanfold")
    units: Path = Path("/etc/systemd/system")

    def on(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    @property
    def versions(self) -> Path:
        return self.data / "versions"

    def site(self, name: str) -> Path:
        """State of one site: `core`, the core's own, and `launcher`, the launcher's."""
        return self.data / "sites" / name

    def join(self, name: str) -> Path:
        return self.settings / f"{name}.join"

    def key(self, thing: str) -> Path:
        """A key that was made here; the join file beside it names it."""
        return self.settings / f"{thing}.key"

    def config(self, name: str) -> Path:
        return self.settings / f"{name}.json"

    def drop_in(self, name: str) -> Path:
        return self.units / f"fanfold@{name}.service.d" / "volumes.conf"
