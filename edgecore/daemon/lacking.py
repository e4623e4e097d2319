"""What a group needs and this core has not been given: certificates of devices, an uplink. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from edgecore.core.group import CLOUD, Group
from edgecore.core.options import Options

_SHOWN = 5


def lacking(group: Group, options: Options) -> list[str]:
    """One sentence for each, with what to do."""
    found: list[str] = []
    if options.mqtt_port is not None:
        found += _certificates(group)
    if options.join is None:
        found += _uplink(group)
    return found


def _certificates(group: Group) -> Iterator[str]:
    without = [t.thing_name for t in group.devices if not t.certificate_pem]
    if without:
        yield (
            f"devices without a certificate here: {_some(without)}: they cannot connect over TLS; "
            "pass the folder that holds their certificates (--device-certificates DIR)"
        )


def _uplink(group: Group) -> Iterator[str]:
    inbound = [s for s in group.subscriptions if s.source == CLOUD]
    if inbound:
        yield (
            f"{len(inbound)} subscription(s) from the cloud ({_some([s.subject for s in inbound])})"
            ": there is no uplink and nothing arrives on them; join AWS IoT (docs/spec/iot.md), or "
            "publish yourself: fanfold publish --as cloud TOPIC"
        )
    synced = [t.thing_name for t in (group.core, *group.devices) if t.sync_shadow]
    if synced:
        yield (f"SyncShadow of {_some(synced)}: there is no uplink; the shadows are kept here only")


def _some(names: list[str]) -> str:
    distinct = sorted(set(names))
    return ", ".join(distinct[:_SHOWN]) + (", …" if len(distinct) > _SHOWN else "")
