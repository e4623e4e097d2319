"""What of a V1 group a site file cannot say, a sentence each, with what takes its place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.topics import Topics
from edgecore.core.group import CLOUD, SHADOW_SERVICE
from edgecore.sources.document import SYSTEM_PREFIX

Json = Mapping[str, Any]
_FUNCTION = ":function:"
_THING = ":thing/"


def left_behind(document: Json, site: Json, cameras: Mapping[str, str]) -> Iterator[str]:
    """`cameras`: thing → the camera that it became. Of a group that is not Fanfold's."""
    yield from _devices(site, cameras)
    yield from _volumes(document, site)
    for entry in document.get("Subscriptions") or []:
        yield _subscription(entry, document, site, cameras)
    uids = {uid for f in document.get("Functions") or [] if (uid := _run_as(f)) is not None}
    if uids:
        said = ", ".join(map(str, sorted(uids)))
        where = "components.user" if site["target"] == "v2" else "the core's --function-user"
        yield f"RunAs uid {said}: functions run as one user; {where} says which"


def parts_without(document: Json) -> Iterator[str]:
    """Of any group: what no site has."""
    for connector in document.get("Connectors") or []:
        yield f"connector {connector.get('ConnectorArn') or connector.get('Id')}: no counterpart"
    for resource in document.get("Resources") or []:
        container = resource.get("ResourceDataContainer") or {}
        name = resource.get("Name") or resource.get("Id")
        if "SecretsManagerSecretResourceData" in container:
            yield f"secret {name}: no counterpart"
        if data := container.get("LocalDeviceResourceData"):
            yield (
                f"device file {data.get('SourcePath') or name}: a site's devices are its profile's "
                "(GPUs), and cameras with a source"
            )


def _devices(site: Json, cameras: Mapping[str, str]) -> Iterator[str]:
    for thing, camera in cameras.items():
        wanted = f"{site['core']['thing']}-{camera}"
        if thing != wanted:
            yield (
                f"device {thing}: is camera {camera} now, whose thing is {wanted}: fanfold "
                "provision makes it, with a certificate of its own"
            )


def _volumes(document: Json, site: Json) -> Iterator[str]:
    used = set(site["volumes"].values())
    for resource in document.get("Resources") or []:
        data = (resource.get("ResourceDataContainer") or {}).get("LocalVolumeResourceData")
        path = str((data or {}).get("SourcePath") or "")
        if path and path not in used:
            yield f"volume {resource.get('Name') or path} ({path}): a site has images and state"
    for name, path in site["volumes"].items():
        if path.startswith("/"):
            yield f"volumes.{name} is {path}, by the order of the group's volumes: look at it"


def _subscription(
    entry: Json, document: Json, site: Json, cameras: Mapping[str, str]
) -> str:  # fmt: skip
    source, target, subject = (str(entry.get(k) or "") for k in ("Source", "Target", "Subject"))
    name = site["name"]
    who = f"{_end(source, document)} → {_end(target, document)} on {subject}"
    if _THING in source and _FUNCTION in target:
        camera = cameras.get(source.rpartition("/")[2], "CAMERA")
        return f"{who}: the camera publishes its images on {Topics(name).images_prefix}{camera}"
    if _FUNCTION in source and target == CLOUD:
        return f"{who}: results reach AWS IoT on {Topics(name).cloud_results}"
    if _FUNCTION in source and _THING in target:
        topic = Topics(name).results("CAMERA")
        return f"{who}: results come on {topic}, to the console and the cameras"
    if SHADOW_SERVICE in (source, target):
        return f"{who}: no counterpart; a site's functions keep no shadow"
    if source == CLOUD:
        return f"{who}: no counterpart; a site takes orders as deployments"
    return f"{who}: no counterpart; a site's topics are its own (docs/spec/messages.md)"


def _end(arn: str, document: Json) -> str:
    """A name for a reader."""
    for function in document.get("Functions") or []:
        if function.get("FunctionArn") == arn and not arn.startswith(SYSTEM_PREFIX):
            return str(function.get("Id") or arn)
    if _THING in arn:
        return arn.rpartition("/")[2]
    return arn.partition(_FUNCTION)[2].partition(":")[0] or arn


def _run_as(function: Json) -> Any:
    configuration = function.get("FunctionConfiguration") or {}
    execution = (configuration.get("Environment") or {}).get("Execution") or {}
    return (execution.get("RunAs") or {}).get("Uid")
