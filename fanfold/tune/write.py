"""Putting values into a site's file as a person would: comments and order stay."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from infra.planning import load_site


def write_values(path: Path, values: Mapping[str, int | str], profiles: Path) -> None:
    """Set keys (`model.s3_uri` names one inside a block) of the site at `path`, or change nothing.

    Raises InvalidInput when the planner would refuse the changed file.
    """
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        *blocks, last = key.split(".")
        place = tree
        for block in blocks:
            place = place.setdefault(block, {})
        place[last] = value
    # In a folder of its own under the same name: a site is called as its file is.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tune-") as folder:
        draft = Path(folder) / path.name
        with draft.open("w", encoding="utf-8") as file:
            yaml.dump(tree, file)
        load_site(draft, profiles)
        shutil.copymode(path, draft)
        draft.replace(path)
