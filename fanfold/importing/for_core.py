"""What a core is started with: it reads documents and the API; the rest becomes a document."""

from __future__ import annotations

import shutil
from pathlib import Path

from contract.nesting import json_of
from edgecore.sources.aws_clients import AwsClients
from fanfold.importing.imported import Imported
from fanfold.importing.reading import imported_from

_OF_THE_CORE = ("greengrass:", "components:")
_DOCUMENT_KEYS = ("Core", "GroupDefinitions")


def source_for_core(source: str, state: Path, cloud: AwsClients) -> tuple[str, list[str]]:
    """``source`` itself where the core reads it; else a document below ``state``.

    With it the sentences about what was not found in the source. Raises UserError.
    """
    if source == "jobs" or source.startswith(_OF_THE_CORE) or _is_document(Path(source)):
        return source, []
    with imported_from(source, cloud) as imported:
        return str(_written(imported, state) / "group.json"), imported.notes


def _is_document(path: Path) -> bool:
    try:
        content = json_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # whoever imports it says what is wrong with it
    return isinstance(content, dict) and any(key in content for key in _DOCUMENT_KEYS)


def _written(imported: Imported, state: Path) -> Path:
    """The folder is written anew at each start; the core keeps copies of its own."""
    folder = state / "imported-group"
    if folder.exists():
        shutil.rmtree(folder)
    imported.write(folder)
    return folder
