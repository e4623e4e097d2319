"""What a nucleus refuses on the device is refused here, before anything is deployed. Pure.

Sources: what AWS's nucleus lite 2.6.0 did with such recipes and documents, and its source
(docs/decisions/0076-target-v2.md); AWS's quotas and developer guide where named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.planning import Finding

RECIPE_BYTES = 16 * 1024
"""AWS IoT Greengrass quotas, "Size of a component recipe"; nucleus lite's own constant."""
DOCUMENT_BYTES = {"any": 4_000, "java": 7 * 1024}
"""lite: 4,188 B arrived, 4,591 did not. Java: developer guide, "Deployment document size"."""
LEAF_BYTES = 1_024
"""nucleus lite: a longer value of the configuration fails the deployment."""
VARIABLES = frozenset(
    (
        "artifacts:path",
        "artifacts:decompressedPath",
        "work:path",
        "kernel:rootPath",
        "iot:thingName",
    )
)
"""Variables that both nuclei know without a prefix; `configuration:/…` beside."""
_BRACES = re.compile(r"\{([^{}]*)\}")
_TOKEN_EXCHANGE = "aws.greengrass.TokenExchangeService"  # noqa: S105 - a component's name
_REMEDY = "Correct the recipe; docs/guides/greengrass-v2.md has the limits."


def document_findings(site: str, document: Mapping[str, Any], nucleus: str) -> Iterator[Finding]:
    """`document`: what the device is sent."""
    size = len(json.dumps(document, separators=(",", ":")).encode())
    limit = DOCUMENT_BYTES[nucleus]
    if size > limit:
        whose = "nucleus lite's packets" if nucleus == "any" else "AWS's limit for one thing"
        yield _finding(
            "FF170", f"site {site}",
            f"the deployment document has {size} bytes; {limit} fit ({whose}).",
            "Name fewer components beside, or merge less; or components.nucleus: java.",
        )  # fmt: skip
    for name, component in document["components"].items():
        merge = (component.get("configurationUpdate") or {}).get("merge")
        for path, leaf in _leaves(json.loads(merge) if merge else {}):
            if nucleus == "any" and len(leaf.encode()) > LEAF_BYTES:
                said = (
                    f"configuration {path} has {len(leaf.encode())} bytes; {LEAF_BYTES} allowed "
                    "(nucleus lite)."
                )
                yield _finding("FF171", f"component {name}", said, "Put it in an artifact.")


def recipe_findings(recipe: Mapping[str, Any], size: int | None = None) -> Iterator[Finding]:
    """What a nucleus would not take of it. `size`: its bytes, where they are known better."""
    name = f"component {recipe['ComponentName']}"
    written = len(json.dumps(recipe).encode()) if size is None else size
    if written > RECIPE_BYTES:
        said = f"the recipe has {written} bytes; {RECIPE_BYTES} allowed (AWS's quota)."
        yield _finding("FF172", name, said, _REMEDY)
    for other, dependency in (recipe.get("ComponentDependencies") or {}).items():
        if other == _TOKEN_EXCHANGE and dependency.get("DependencyType", "HARD") != "SOFT":
            said = (
                f"depends HARD on {other}: on nucleus lite the end of that server stops the "
                "component for good (BindsTo)."
            )
            yield _finding("FF174", name, said, "Write DependencyType: SOFT.")
    for manifest in recipe["Manifests"]:
        yield from _lifecycle(name, manifest.get("Lifecycle") or {})


def _lifecycle(name: str, lifecycle: Mapping[str, Any]) -> Iterator[Finding]:
    if "run" not in lifecycle and "startup" not in lifecycle:
        said = "has no run: nucleus lite waits 300 s for it and fails the deployment."
        yield _finding("FF175", name, said, "Give it a run that exits 0.")
    for phase, section in lifecycle.items():
        script = section if isinstance(section, str) else str(section.get("Script", ""))
        for text in _BRACES.findall(script):
            if text not in VARIABLES and not text.startswith("configuration:/"):
                said = f"{phase} holds {{{text}}}; every pair of braces is a variable there."
                yield _finding("FF173", name, said, "Move the script's braces into a file.")
        rest = _BRACES.sub("", script)
        if "{" in rest or "}" in rest:
            said = f"{phase} holds a single brace; a nucleus reads braces as variables."
            yield _finding("FF173", name, said, "Move the script's braces into a file.")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{path}/{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{path}/{number}")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def _finding(code: str, subject: str, said: str, remedy: str) -> Finding:
    return Finding(code, "error", subject, said, remedy)
