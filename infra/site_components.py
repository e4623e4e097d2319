"""A site's three components out of files on this disk: for `cdk deploy` and `fanfold diff`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.packaging import build_core, build_offer, content_digest
from infra.planning import Finding, InvalidInput
from infra.planning.components import RuntimeFile
from infra.targets.iot.request import model_uri
from infra.targets.v2 import deployment as rendering
from infra.targets.v2.group import core_document
from infra.targets.v2.limits import document_findings, recipe_findings
from infra.targets.v2.names import V2Names
from infra.targets.v2.recipes import (
    Archive,
    Rendered,
    RuntimeArchive,
    render_core,
    render_model,
    render_runtime,
)
from infra.where import PROJECT

Place = Callable[[str, Path], Archive]
"""A short name and a file here to where it lies for the devices."""


def render_components(
    document: Mapping[str, Any], lambdas: Path, folder: Path, place: Place
) -> tuple[Rendered, Rendered, Rendered]:
    """Runtime, Core and Model. `lambdas`: the functions' archive; `folder` takes what is packed.

    Raises InvalidInput: an archive of libraries is not there.
    """
    names, settings = V2Names.of(document), document["Target"]["Components"]
    runtimes = [
        _runtime(names, f"Runtime{number}", source, place)
        for number, source in enumerate(settings["runtimes"])
    ]
    offer = place("Offer", build_offer(folder / "offer.zip"))
    content = core_document(document)
    group = folder / f"group-{hashlib.sha256(content).hexdigest()}.json"
    group.write_bytes(content)
    core = place("CoreArchive", build_core(folder / f"core-{group.stem}.zip", group, lambdas))
    uri = model_uri(document) or ""
    return (
        render_runtime(names, runtimes, offer),
        render_core(names, runtimes, core, settings),
        render_model(names, runtimes, Archive(uri, uri), offer),
    )


def refuse_components(
    document: Mapping[str, Any], own: Sequence[Rendered], sizes: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """The deployment's properties, once a nucleus would take them and the recipes.

    `sizes`: bytes of recipes by component, where they are known better. Raises InvalidInput with
    everything that is wrong.
    """
    given = rendering.properties(document, own)
    nucleus = document["Target"]["Components"]["nucleus"]
    site, sent = document["Name"], rendering.as_sent(given, given["TargetArn"])
    found = [*document_findings(site, sent, nucleus)]
    for each in own:
        found += recipe_findings(each.recipe, (sizes or {}).get(each.name))
    if found:
        raise InvalidInput(found)
    return given


def nowhere(_: str, path: Path) -> Archive:
    """For versions alone: no place, and the name that the CDK gives such a file.

    The CDK names an asset of a custom hash by that hash's SHA-256 (a test compares the two).
    """
    name = hashlib.sha256(content_digest(path).encode()).hexdigest()
    return Archive("", f"{name}.zip")


def _runtime(names: V2Names, short: str, source: str, place: Place) -> RuntimeArchive:
    facts = RuntimeFile.of(source)
    assert facts is not None  # noqa: S101 - the site's model has checked the names
    if source.startswith("s3://"):
        return RuntimeArchive(Archive(source, source), facts.arch, facts.python)
    path = PROJECT / source
    if not path.is_file():
        said = f"components.runtimes: {source} is not there, by the site's file or in {PROJECT}."
        remedy = f"Make it: fanfold bundle --runtime-zip --arch {facts.arch} "
        remedy += f"--python {facts.python}."
        raise InvalidInput([Finding("FF165", "error", f"site {names.site}", said, remedy)])
    return RuntimeArchive(place(short, path), facts.arch, facts.python)
