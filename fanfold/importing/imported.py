"""What a reader found, and how it becomes a folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecore.disk.archive import LAMBDA_LIMITS, ArchiveError, extract
from edgecore.sources.document import to_group
from edgecore.sources.left_out import findings
from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME, no_runtime, parse
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.guessing import guess

Json = dict[str, Any]
PLACEHOLDER = "PUT-THE-CODE-HERE.txt"


@dataclass(kw_only=True)
class Imported:
    """``code``: where each function's code is now, by ARN: a folder, a zip, or files by name."""

    source: str
    document: Json
    code: dict[str, Path | dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def given(self, codes: dict[str, Path]) -> None:
        """Code that the user names by function name."""
        for arn, entry in self.document["Lambdas"].items():
            if (path := codes.get(entry["FunctionName"])) is not None:
                self.code[arn] = path

    def write(self, folder: Path) -> list[str]:
        """``group.json``, ``code/``, ``REPORT.md``; the report's sentences.

        Raises UserError where the folder is not empty or the group is malformed.
        """
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder}: is not empty; pass a new folder", INVALID)
        folder.mkdir(parents=True, exist_ok=True)
        self._core_is_no_device()
        for arn, entry in self.document["Lambdas"].items():
            entry["Code"] = f"code/{entry['FunctionName']}"
            self._place(arn, entry, folder / entry["Code"])
        to_group(self.document, base=folder)
        text = json.dumps(self.document, indent=1)
        (folder / "group.json").write_text(text + "\n", encoding="utf-8")
        sentences = [*self.notes, *findings(self.document), *self._never_run()]
        lines = [f"# Imported from {self.source}", "", *(f"- {s}" for s in sentences)]
        if not sentences:
            lines.append("Nothing in it is left out.")
        lines += ["", "What it needs of a machine (interpreters, certificates, a link to the "
            "cloud) and lacks there: `fanfold run SITE --group FOLDER/group.json`."]  # fmt: skip
        (folder / "REPORT.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return sentences

    def _never_run(self) -> list[str]:
        """Functions of runtimes that no interpreter helps, such as Java's."""
        return [
            f"function {entry['FunctionName']} cannot be started: {no_runtime(entry['Runtime'])}"
            for entry in self.document["Lambdas"].values()
            if entry.get("Runtime") not in (None, EXECUTABLE_RUNTIME)
            and parse(str(entry["Runtime"])) is None
        ]

    def _core_is_no_device(self) -> None:
        """Some templates list the core's own thing as a device too; it reaches itself anyway."""
        core = self.document["Core"]["ThingArn"]
        devices = self.document.get("Devices") or []
        self.document["Devices"] = [each for each in devices if each["ThingArn"] != core]
        if len(devices) > len(self.document["Devices"]):
            self.notes.append(f"device {core.rpartition('/')[2]}: is the core itself; left out")

    def _place(self, arn: str, entry: Json, target: Path) -> None:
        found = self.code.get(arn)
        if target.exists():
            return  # two qualifiers of one function
        if isinstance(found, Path) and found.is_dir():
            shutil.copytree(found, target, symlinks=False)
        elif isinstance(found, Path) and found.is_file():
            _unpacked(found, target)
        elif isinstance(found, dict):
            target.mkdir(parents=True)
            for name, text in found.items():
                (target / name).write_text(text, encoding="utf-8")
        else:
            target.mkdir(parents=True)
            text = f"The code of {arn} was not found. Put it in this folder.\n"
            (target / PLACEHOLDER).write_text(text, encoding="utf-8")
            where = f" ({found} does not exist)" if found else ""
            self.notes.append(
                f"function {entry['FunctionName']}: its code was not found{where}; put it into "
                f"{entry['Code']}, or import it with --code {entry['FunctionName']}=PATH"
            )
        guess(entry, self._executable(arn), target, self.notes)

    def _executable(self, arn: str) -> str:
        functions = self.document.get("Functions") or []
        found: Json = next((each for each in functions if each["FunctionArn"] == arn), {})
        return str((found.get("FunctionConfiguration") or {}).get("Executable") or "")


def _unpacked(packed: Path, target: Path) -> None:
    try:
        extract(packed, target, limits=LAMBDA_LIMITS)
    except ArchiveError as error:
        raise UserError(f"{packed}: {error}", INVALID) from error
