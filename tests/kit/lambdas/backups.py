"""A simulated site whose parts' folders are copied and put back, as backups are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sim import Sim

from contract.volumes import NUMBERS

PARTS = ("splitter", "aggregator")


class Plant:
    """A simulated site whose parts' folders are copied and put back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sim = Sim(root / "site", FANFOLD_MAX_WAIT_S="3")
        self.sent = 0
        self.copies: dict[str, Path] = {}
        self.pair: dict[str, Path] = {}

    def send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            self.sim.image("cam1", {"id": f"e{self.sent}", "files": [f"{self.sent}.jpg"]})

    @property
    def images(self) -> Path:
        return Path(self.sim.env["FANFOLD_IMAGES_DIR"])

    def folder(self, part: str) -> Path:
        return Path(self.sim.env["FANFOLD_STATE_DIR"]) / part

    def copy(self, part: str) -> None:
        """As a backup tool does it: while the part runs."""
        self.copies[part] = self.root / f"copy-{part}-{self.sent}-{self.sim.now:.2f}"
        shutil.copytree(self.folder(part), self.copies[part], dirs_exist_ok=True)

    def put_back(self, part: str) -> None:
        self.sim.kill(part)
        shutil.rmtree(self.folder(part))
        shutil.copytree(self.copies[part], self.folder(part))

    def lose_and_put_back(self, lost: str, restored: str) -> None:
        """At once: one comes back without its disk, the other with a copy."""
        self.put_back(restored)
        self.sim.lose(lost)

    def lose_log(self, part: str) -> None:
        """The newest part of the database, which is not in its file yet, is gone."""
        self.sim.kill(part)
        for log in self.folder(part).glob("*.sqlite3-wal"):
            log.unlink()

    def copy_both(self) -> None:
        for part in PARTS:
            self.copy(part)
        self.pair = dict(self.copies)

    def forget_on_the_volume(self) -> None:
        """The images volume is of the same backup, or another one."""
        (self.images / NUMBERS).unlink(missing_ok=True)

    def put_back_both(self) -> None:
        """From one backup: only the images volume may know what came after it."""
        self.copies = dict(self.pair)
        for part in PARTS:
            self.put_back(part)

    def settled(self) -> None:
        self.sim.settle()
        self.sim.run(5.0)

    def contradictions(self) -> list[tuple]:
        told: dict[tuple, set] = {}
        for record in self.sim.cloud + self.sim.late:
            if record["status"] != "gap":
                said = (record["status"], record.get("id"), json.dumps(record.get("output")))
                key = (record["epoch"], record["stream"], record["seq"])
                told.setdefault(key, set()).add(said)
        return [(key, said) for key, said in told.items() if len(said) > 1]

    def ids_of_ok(self) -> set[str]:
        return {r["id"].split("/")[0] for r in self.sim.cloud if r["status"] == "ok"}
