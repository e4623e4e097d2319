"""What several verbs are given by a user: folders of images, a site's own code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from contract.image_kinds import SUFFIXES
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.common.project import site_file

_NAMED = 5


def images_of(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, and the images below folders in order of their names: the same
    rule for every verb. What else is in a folder is said. Raises UserError where one does not
    exist or holds no image."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            below = [p for p in files if _is_image(p)]
            _warn_of_left_out(path, [p for p in files if not _is_image(p)])
            if not below:
                known = " ".join(sorted(SUFFIXES))
                raise UserError(f"{path}: contains no image ({known})", INVALID)
            found += below
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"{path}: no such file or folder", INVALID)
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _warn_of_left_out(folder: Path, others: list[Path]) -> None:
    """A raw frame or a video in a folder is not passed over in silence."""
    shown = [p for p in others if not p.name.startswith(".")]
    if shown:
        names = ", ".join(output.one_line(str(p.relative_to(folder))) for p in shown[:_NAMED])
        more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
        output.note(
            f"{folder}: {len(shown)} file(s) without an image's ending left out: {names}{more};"
            " name a file itself to have it taken"
        )


def hooks_of(site: str, module: str | None) -> dict[str, Path]:
    """The user's own files, from beside the site's. Raises UserError with what is wrong."""
    if not module:
        return {}
    from infra.hooks import hook_files
    from infra.planning import InvalidInput

    try:
        return hook_files(module, site_file(site).parent)
    except InvalidInput as error:
        raise UserError("\n".join(map(str, error.findings)), INVALID) from error
