"""Every box of a folder's sites as two stacks; what is wrong with a site stops that site only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.hooks import hook_files
from infra.planning import (
    Finding,
    InvalidInput,
    Site,
    check,
    errors,
    load_place,
    plan_group,
    render,
)
from infra.planning.stack_names import cloud_id
from infra.stacks.assets import Assets
from infra.stacks.override import override_of
from infra.stacks.site_stack import DEFAULT_WAIT_S, SiteStacks


def add_sites(app: App, project: Path) -> list[Finding]:
    """Add the stacks of each site file; returns the findings of all sites, errors among them.

    Context: `sites` and `profiles` (folders), `site` (only this one, or several, separated
    by commas), `model` (an S3 URI that overrides the sites' own), `wait` (seconds to wait
    for a deployment), `runtime_override` and `cloud_runtime` (infra/stacks/override.py).
    """
    context = app.node.try_get_context
    sites = project / (context("sites") or "sites")
    profiles = project / (context("profiles") or "device_profiles")
    found: list[Finding] = []
    try:
        override = override_of(context("runtime_override"), context("cloud_runtime"))
        wait_s = _seconds(context("wait"))
    except InvalidInput as error:
        return list(error.findings)
    taken: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        assets = Assets.build(Path(folder))
        for path in _chosen(sites, context("site"), found):
            documents, findings = documents_of(path, profiles, context("model"))
            found += findings
            try:
                for document in documents:
                    _claim(document, path, taken)
                if documents:
                    own = _with_hooks(assets, documents[0], path, Path(folder))
                    _add(app, documents, assets=own, wait_s=wait_s, override=override)
            except InvalidInput as error:
                found += error.findings
    return found


def _add(app: App, documents: Sequence[Mapping[str, Any]], **options: Any) -> None:
    """The boxes of one site; what the CDK refuses about it must not stop the others."""
    first: SiteStacks | None = None
    try:
        for document in documents:
            made = SiteStacks(app, document=document, **options)
            if first is None:
                first = made
            else:
                # The first box's stack makes the bucket that all of them write to.
                made.cloud.add_stack_dependency(first.cloud)
    except (RuntimeError, ValueError, InvalidInput) as error:
        for each in documents:
            for name in (each["Name"], cloud_id(each["Name"])):
                app.node.try_remove_child(name)
        if isinstance(error, InvalidInput):
            raise
        first_line = str(error).strip().splitlines()[0]
        remedy = "The other sites are not affected; report this together with the site's file."
        subject = f"site {documents[0]['Name']}"
        raise InvalidInput([Finding("FF009", "error", subject, first_line, remedy)]) from error


def _claim(document: Mapping[str, Any], path: Path, taken: dict[str, str]) -> None:
    """A thing belongs to one stack of an account and region; two would fight over it."""
    where = f"{document['Account']}/{document['Region']}"
    group = document.get("Target", {}).get("Group")
    named = [entry["ThingName"] for entry in (document["Core"], *document["Devices"])]
    things = [f"group {group}"] if group else named
    if document["Name"] in taken:
        said = f"{document['Name']}: this name is site {taken[document['Name']]}'s, or its box's."
        raise InvalidInput([Finding("FF011", "error", str(path), said, "Rename one of them.")])
    twice = [thing for thing in things if f"{where}/{thing}" in taken]
    if twice:
        other = taken[f"{where}/{twice[0]}"]
        said = f"{', '.join(twice)}: site {other} has these things already."
        remedy = "Give each site its own core thing."
        raise InvalidInput([Finding("FF010", "error", f"{path}: core.thing", said, remedy)])
    taken.update({f"{where}/{thing}": document["Name"] for thing in things})
    taken[document["Name"]] = path.stem


def _seconds(given: object) -> int:
    if given is None:
        return DEFAULT_WAIT_S
    text = str(given)
    if text.isascii() and text.isdigit():
        return int(text)
    said = f"{text!r} is not a number of seconds; allowed: 0 or more."
    raise InvalidInput([Finding("FF004", "error", "-c wait", said, "Use -c wait=60.")])


def _with_hooks(shared: Assets, document: Mapping[str, Any], site: Path, folder: Path) -> Assets:
    """A site with code of its own has a zip of its own; all others share one."""
    environments = (
        function["FunctionConfiguration"].get("Environment", {}).get("Variables", {})
        for function in document["Functions"]
    )
    module = next((e["FANFOLD_HOOKS"] for e in environments if e.get("FANFOLD_HOOKS")), None)
    if module is None:
        return shared
    return Assets.build(folder / site.stem, hook_files(module, site.parent))


def documents_of(
    path: Path, profiles: Path, model: str | None = None
) -> tuple[list[Mapping[str, Any]], list[Finding]]:
    """The group document of each box of a site file; none when an error is among the findings."""
    try:
        place = load_place(path, profiles)
        plans = [
            plan_group(_with_model(site, model), profile) for site, profile in place.boxes.values()
        ]
    except InvalidInput as error:
        return [], list(error.findings)
    findings = [finding for plan in plans for finding in check(plan)]
    return [] if errors(findings) else [render(plan) for plan in plans], findings


def _with_model(site: Site, model: str | None) -> Site:
    return site.with_model(model) if model else site


def _chosen(folder: Path, wanted: str | None, found: list[Finding]) -> Iterator[Path]:
    """Site files of the folder, or those asked for; a missing one becomes a finding."""
    available = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    names = wanted.split(",") if wanted else list(available)
    known = ", ".join(available) or "none"
    if not names:
        found.append(
            Finding(
                "FF008",
                "error",
                str(folder),
                "contains no site (*.yaml).",
                "Add one, or use -c sites=DIR.",
            )
        )
    for name in names:
        if name in available:
            yield available[name]
        else:
            message = f"{name!r} is not a site in {folder}; there are: {known}."
            found.append(Finding("FF008", "error", "-c site", message, "Use one of them."))
