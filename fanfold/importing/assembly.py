"""A CDK cloud assembly: the template that holds the group, and the code beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from contract.nesting import json_of
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.importing.definitions import of_type

MANIFEST = "manifest.json"
_PLACE = re.compile(r"^aws://(\d+|unknown-account)/([\w-]+)$")


def template_of(folder: Path, stack: str | None) -> tuple[Path, str | None, str | None]:
    """Template, account and region of the one stack with a group, or of the one named ``stack``.

    None where the assembly does not say the account or the region. Raises UserError.
    """
    found: dict[str, tuple[Path, str]] = {}
    for name, artifact in (_json(folder / MANIFEST).get("artifacts") or {}).items():
        if artifact.get("type") != "aws:cloudformation:stack" or stack not in (None, name):
            continue
        path = folder / artifact["properties"]["templateFile"]
        if of_type(_json(path), "Group"):
            found[name] = (path, str(artifact.get("environment") or ""))
    if len(found) == 1:
        path, environment = next(iter(found.values()))
        match = _PLACE.match(environment)
        account, region = match.groups() if match else ("", "")
        return path, _known(account), _known(region)
    what = f"stacks with a group: {', '.join(sorted(found))}" if found else "no stack with a group"
    hint = f"; choose one as {folder}#{min(found)}" if found else ""
    raise UserError(f"{folder}{f'#{stack}' if stack else ''}: {what}{hint}", INVALID)


def _known(part: str) -> str | None:
    return None if not part or part.startswith("unknown-") else part


def assets_beside(template: Path) -> dict[str, Path]:
    """S3 object key → file or folder, from every asset manifest beside the template."""
    found = {}
    for manifest in sorted(template.parent.glob("*.assets.json")):
        for asset in (_json(manifest).get("files") or {}).values():
            source = template.parent / asset["source"]["path"]
            for destination in asset["destinations"].values():
                found[destination["objectKey"]] = source.absolute()
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json_of(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: is not of a cloud assembly ({error}); run `cdk synth` first", MISSING
        ) from error
