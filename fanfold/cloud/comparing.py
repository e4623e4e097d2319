"""What a deployment of a site would change: `fanfold diff` and the fleet's drift ask the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fanfold.cloud.component_deployments import own_components
from fanfold.cloud.components import component_changes, effect_of, planned_versions
from fanfold.cloud.deployed import Deployed, comparable, planned_document
from fanfold.cloud.words import RESTARTS
from infra.planning import Change, Plan, changes, render
from infra.planning.bundles import BundleFile
from infra.targets.v2.deployment import job_terms

Document = Mapping[str, Any]
NONE = "none"


def compare(
    plan: Plan, site: str, deployed: Deployed | None, before: Document | None
) -> tuple[list[Change], str]:
    """The changes, and what they do on a device. `before`: the group of what is deployed.

    Raises UserError where the site cannot be rendered.
    """
    known = comparable(before) if before is not None else None
    found = changes(known, comparable(planned_document(plan, site)))
    current = deployed.current if deployed else None
    if plan.site.target == "iot":
        found += _of_the_core(plan, deployed.core_version(current) if deployed and current else "")
    if plan.site.target != "v2":
        return found, RESTARTS
    made = deployed.component_deployment(current) if deployed and current else None
    own = component_changes(made.versions if made else {}, planned_versions(plan, site))
    rest = list(_of_deployment(plan, made.given)) if made else []
    return [*found, *own, *rest], effect_of([*own, *rest])


def _of_the_core(plan: Plan, before: str) -> list[Change]:
    """Target iot: a job without a bundle leaves devices the core that they have."""
    made = BundleFile.of(plan.site.core.bundle) if plan.site.core.bundle else None
    if made is None or made.version == before:
        return []
    return [Change("core", before or "as devices have it", made.version)]


def _of_deployment(plan: Plan, given: Document) -> Iterator[Change]:
    """What target v2 deploys beside the site's own components, for whom, and on what terms."""
    document, own = render(plan), own_components(plan.site)
    settings = document["Target"]["Components"]
    there = dict(given.get("components") or {})
    before = {name: _configured(each) for name, each in there.items() if name not in own}
    after = {name: _as_configured(each) for name, each in settings["beside"].items()}
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        for key in ("version", "merge", "reset"):
            if old.get(key) != new.get(key):
                subject = f"beside {name}" + ("" if key == "version" else f" {key}")
                yield Change(subject, _as_text(old.get(key)), _as_text(new.get(key)))
    users = {str((there[name].get("runWith") or {}).get("posixUser") or "") for name in own
        if name in there}  # fmt: skip
    wanted = settings["user"] or ""
    if users and users != {wanted}:
        yield Change("components.user", " ".join(sorted(users)) or NONE, wanted or NONE)
    terms, job = job_terms(document), given.get("iotJobConfiguration") or {}
    if terms != job:
        yield Change("rollout", _as_text(job), _as_text(terms))


def _configured(component: Document) -> dict[str, Any]:
    """As the API gives a component of a deployment; empty parts are left out."""
    update = component.get("configurationUpdate") or {}
    merge = json.loads(update.get("merge") or "{}")
    return _filled(component["componentVersion"], merge, update.get("reset"))


def _as_configured(beside: Document) -> dict[str, Any]:
    return _filled(beside["version"], beside["merge"], beside["reset"])


def _filled(version: str, merge: Any, reset: Any) -> dict[str, Any]:
    found = {"version": version, "merge": merge, "reset": list(reset or ())}
    return {key: value for key, value in found.items() if value}


def _as_text(value: Any) -> str:
    if not value:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
