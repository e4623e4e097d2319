"""What several verbs are given by a user: folders of images, a site's own code."""

from __future__ import annotations

from pathlib import Path

from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import site_file
from infra.hooks import hook_files
from infra.planning import InvalidInput

MEASURED = (".jpg", ".jpeg", ".png")


def images_to_measure(folder: Path) -> list[Path]:
    """The images of a folder in order of their names. Raises UserError where there are none."""
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in MEASURED)
    if not files:
        raise UserError(f"{folder}: no images in this folder ({', '.join(MEASURED)})", INVALID)
    return files


def hooks_of(site: str, module: str | None) -> dict[str, Path]:
    """The user's own files, from beside the site's. Raises UserError with what is wrong."""
    try:
        return hook_files(module, site_file(site).parent) if module else {}
    except InvalidInput as error:
        raise UserError("\n".join(map(str, error.findings)), INVALID) from error
