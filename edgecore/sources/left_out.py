"""What this core knows beforehand that it will not do for a group, one sentence each. Pure.

What depends on the machine is found elsewhere: interpreters and bubblewrap when the functions
start, certificates and the uplink in `edgecore.daemon.lacking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.topic_filters import filter_problem
from edgecore.core.arns import SHADOW_ARN
from edgecore.core.group import CLOUD, SHADOW_SERVICE
from edgecore.sources.document import (
    SYSTEM_PREFIX,
    entries_of,
    resource_ids,
    resource_kind,
)

_CONNECTOR_MARK = ":/connectors/"
_SYSTEM_FUNCTIONS = {
    "GGIPDetector": "the core's addresses are not published to AWS IoT; devices reach it at the "
    "address that you give them",
    "GGStreamManager": "there is no stream manager on port 8088: a function that uses it fails to "
    "connect; publish to a topic instead, or put files to S3 with the group role",
}
_SPOOLER = "GGCloudSpooler"
_PERSISTENT = "AtLeastOncePersistent"
Document = Mapping[str, Any]


def findings(document: Document) -> tuple[str, ...]:
    """In the order of the document's parts."""
    parts = (_resources, _models, _subscriptions, _connectors, _functions, _loggers)
    read = tuple(str(each) for each in document.get("LeftOut") or [])
    return read + tuple(finding for part in parts for finding in part(document))


def _resources(document: Document) -> Iterator[str]:
    for entry in entries_of(document, "Resources"):
        kind = resource_kind(entry)
        if kind == "unknown":
            yield f"resource {entry.get('Id')!r}: {kind} is not supported by this core; left out"


def _models(document: Document) -> Iterator[str]:
    """Those that are missing and given to no function: that one's finding would name it."""
    configurations = [
        e.get("FunctionConfiguration") or {} for e in entries_of(document, "Functions")
    ]
    given = {name for one in configurations for name in resource_ids(one)}
    for identity, model in (document.get("Models") or {}).items():
        if "Problem" in model and identity not in given:
            yield f"no function is given it: {model['Problem']}"


def _subscriptions(document: Document) -> Iterator[str]:
    """Which nothing can come by: AWS refused the deployment of such a group, or never matched."""
    things = [document.get("Core") or {}, *entries_of(document, "Devices")]
    known = {CLOUD, SHADOW_SERVICE, SHADOW_ARN, *(str(each.get("ThingArn")) for each in things)}
    known |= {str(each.get("FunctionArn")) for each in entries_of(document, "Functions")}
    for entry in entries_of(document, "Subscriptions"):
        name = f"subscription {entry.get('Id')!r}"
        for end in ("Source", "Target"):
            arn = str(entry.get(end))
            if arn not in known and _CONNECTOR_MARK not in arn:
                yield (
                    f"{name}: its {end.lower()} {arn} is no function or device of the group, by "
                    "the same ARN; nothing passes it"
                )
        if problem := filter_problem(str(entry.get("Subject"))):
            yield f"{name}: its subject is no topic filter ({problem}); nothing passes it"


def _connectors(document: Document) -> Iterator[str]:
    for entry in entries_of(document, "Connectors"):
        name = str(entry.get("ConnectorArn") or "?").partition(_CONNECTOR_MARK)[2] or "?"
        yield (
            f"connector {entry.get('Id')!r} ({name.partition('/')[0]}): connectors are not "
            "supported; left out: a function of your own must do its work"
        )
    for entry in entries_of(document, "Subscriptions"):
        if _CONNECTOR_MARK in f"{entry.get('Source')} {entry.get('Target')}":
            yield (
                f"subscription {entry.get('Id')!r}: connectors are not supported; the "
                "subscription is ignored"
            )


def _functions(document: Document) -> Iterator[str]:
    for entry in entries_of(document, "Functions"):
        arn = str(entry.get("FunctionArn"))
        if not arn.startswith(SYSTEM_PREFIX):
            continue
        name = arn[len(SYSTEM_PREFIX) :].partition(":")[0]
        if name == "GGShadowService":  # here too; AWS's core lists it among its own functions
            continue
        if name == _SPOOLER:
            yield from _spooler(entry, document)
        else:
            yield from _system_function(name)


def _spooler(entry: Mapping[str, Any], document: Document) -> Iterator[str]:
    configuration = entry.get("FunctionConfiguration") or {}
    variables = (configuration.get("Environment") or {}).get("Variables") or {}
    asked = variables.get("GG_CONFIG_SUBSCRIPTION_QUALITY") == _PERSISTENT
    if asked and any(s.get("Source") == CLOUD for s in entries_of(document, "Subscriptions")):
        yield (
            f"system function {_SPOOLER}: {_PERSISTENT} is not honoured: what the cloud publishes "
            "while this core has no link does not arrive later"
        )


def _system_function(name: str) -> Iterator[str]:
    what = _SYSTEM_FUNCTIONS.get(name, "it is a part of AWS's core that this one lacks")
    yield f"system function {name}: left out: {what}"


def _loggers(document: Document) -> Iterator[str]:
    for entry in entries_of(document, "Loggers"):
        component, kind = entry.get("Component"), entry.get("Type")
        if kind == "AWSCloudWatch":
            yield (
                f"logger {entry.get('Id')!r}: {component} logs are not sent to CloudWatch; they "
                "are files below the core's state folder"
            )
        elif component == "GreengrassSystem" and (
            entry.get("Level") not in (None, "INFO") or entry.get("Space")
        ):
            yield (
                f"logger {entry.get('Id')!r}: level and space of GreengrassSystem are not "
                "honoured; the core logs INFO into two files of 4 MB"
            )
