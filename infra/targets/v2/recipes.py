"""Recipes of the Runtime, the Core and the Model component, for the Java nucleus and for lite.

Both read lower-case lifecycle keys and `Platform.runtime`; lite knows no variables of
dependencies, no shutdown, and stops what depends HARD on a component that has ended. So the
components find one another by files in the Core's work folder (docs/spec/components.md), and a
new model cascades to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.targets.v2.names import V2Names, content_version

Recipe = dict[str, Any]
PLATFORMS = {"x86_64": "amd64", "aarch64": "aarch64"}
"""Greengrass's names of architectures (developer guide, component recipe reference)."""
UNPACKED = "{artifacts:decompressedPath}"
PACKED = "{artifacts:path}"
TOKEN_EXCHANGE = "aws.greengrass.TokenExchangeService"  # noqa: S105 - a component's name
HEALTH_S, VERDICT_S, INSTALL_S = 180, 240, 280
"""The core's health gate, the Model's wait for it, the nucleus's wait for that: lite gives up on a
deployment's step after 300 s."""


@dataclass(frozen=True)
class Archive:
    """A file in S3. `identity` changes with its content; `uri` may hold tokens of the CDK."""

    uri: str
    identity: str

    @property
    def stem(self) -> str:
        """The folder that the nucleus unpacks a ZIP into."""
        return self.identity.rpartition("/")[2].removesuffix(".zip")


@dataclass(frozen=True)
class RuntimeArchive:
    archive: Archive
    arch: str
    python: str


@dataclass(frozen=True)
class Rendered:
    """A recipe, its version, and the version's reason: what it was made of."""

    name: str
    version: str
    recipe: Recipe

    @property
    def artifacts(self) -> list[str]:
        """URIs of what a device downloads for it, on any architecture."""
        return artifact_uris(self.recipe)


def artifact_uris(recipe: Mapping[str, Any]) -> list[str]:
    """In the recipe's order: a Core's archive, a Model's package is its first."""
    return [
        str(artifact["Uri"])
        for manifest in recipe["Manifests"]
        for artifact in manifest.get("Artifacts") or ()
    ]


def render_runtime(names: V2Names, runtimes: Sequence[RuntimeArchive], offer: Archive) -> Rendered:
    """The libraries, one manifest per architecture; its run says where they lie, and ends."""
    manifests = [
        (
            each.arch,
            [(each.archive, True), (offer, True)],
            {
                "run": _script(
                    f"exec python{each.python} -u {UNPACKED}/{offer.stem}/offer_component.py"
                    f" runtime --core {names.core} --path {UNPACKED}/{each.archive.stem}"
                )
            },
        )
        for each in runtimes
    ]
    return _render(names, names.runtime, f"Libraries of Fanfold site {names.site}", manifests)


def render_core(
    names: V2Names,
    runtimes: Sequence[RuntimeArchive],
    core: Archive,
    settings: Mapping[str, Any],
) -> Rendered:
    """The launcher, which never ends. `settings`: `Components` of the site, as a map."""
    manifests = [
        (
            each.arch,
            [(core, True)],
            {
                "run": _script(
                    f"exec python{each.python} -u {UNPACKED}/{core.stem}/run_component.py"
                    f" --runtime {each.archive.stem} {_arguments(settings)}"
                )
            },
        )
        for each in runtimes
    ]
    dependencies = {
        TOKEN_EXCHANGE: {"VersionRequirement": ">=2.0.0 <3.0.0", "DependencyType": "SOFT"}
    }
    return _render(
        names, names.core, f"Embedded core of Fanfold site {names.site}", manifests, dependencies
    )


def render_model(
    names: V2Names, runtimes: Sequence[RuntimeArchive], model: Archive, offer: Archive
) -> Rendered:
    """One model package. `install` waits for the core's verdict, because a nucleus counts a
    deployment as done when `run` has started; `run` does the same at every boot."""
    file = model.uri.rpartition("/")[2]
    manifests = []
    for each in runtimes:
        offered = (
            f"exec python{each.python} -u {UNPACKED}/{offer.stem}/offer_component.py model"
            f" --core {names.core} --path {PACKED}/{file} --wait-s {VERDICT_S}"
        )
        lifecycle = {
            "install": {**_script(f"{offered} --before-run"), "Timeout": str(INSTALL_S)},
            "run": _script(offered),
        }
        manifests.append((each.arch, [(model, False), (offer, True)], lifecycle))
    return _render(names, names.model, f"Model of Fanfold site {names.site}", manifests)


def _arguments(settings: Mapping[str, Any]) -> str:
    ports = settings["ports"]
    given = {
        "--ipc-port": ports["ipc"],
        "--mqtt-port": "off" if ports["mqtt"] is None else ports["mqtt"],
        "--http-port": "off" if ports["http"] is None else ports["http"],
        "--cloud": settings["uplink"],
        "--health-s": HEALTH_S,
    }
    if ports["mqtt_plain"] is not None:
        given["--mqtt-plain-port"] = ports["mqtt_plain"]
    return "-- " + " ".join(f"{name} {value}" for name, value in given.items())


def _script(text: str) -> dict[str, Any]:
    return {"Script": text, "RequiresPrivilege": False}


def _render(
    names: V2Names,
    name: str,
    description: str,
    manifests: Sequence[tuple[str, list[tuple[Archive, bool]], dict[str, Any]]],
    dependencies: Mapping[str, Any] | None = None,
) -> Rendered:
    def recipe(version: str, uri: Any) -> Recipe:
        found: Recipe = {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": version,
            "ComponentType": "aws.greengrass.generic",
            "ComponentDescription": description,
            "ComponentPublisher": "Fanfold",
        }
        if dependencies:
            found["ComponentDependencies"] = dict(dependencies)
        found["Manifests"] = [
            {
                "Platform": {"os": "linux", "architecture": PLATFORMS[arch], "runtime": "*"},
                "Lifecycle": lifecycle,
                "Artifacts": [
                    {
                        "Uri": uri(archive),
                        "Unarchive": "ZIP" if unpacked else "NONE",
                        "Permission": {"Read": "ALL"},
                    }
                    for archive, unpacked in archives
                ],
            }
            for arch, archives, lifecycle in manifests
        ]
        return found

    version = content_version(recipe("", lambda archive: archive.identity), names.generation)
    return Rendered(name, version, recipe(version, lambda archive: archive.uri))
