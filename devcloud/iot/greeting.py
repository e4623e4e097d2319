"""CONNECT and its answer: what a client may ask for, and what it gets. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devcloud.iot.packets import LARGEST_PACKET, V5, Connect
from devcloud.iot.session import LONGEST_S, MOST_UNACKNOWLEDGED

SHORTEST_KEEP_ALIVE_S, LONGEST_KEEP_ALIVE_S = 30, 1200
LONGEST_CLIENT_ID = 128
MOST_ALIASES = 8
(NOT_AUTHORIZED, BAD_CLIENT_ID) = (0x87, 0x85)
Allows = Callable[[str, str], bool]


def refusal(connect: Connect, name: str, allows: Allows) -> tuple[int, str] | None:
    """(reason code, words) for who may not connect so. `name`: the client id that counts."""
    if not name or len(name.encode()) > LONGEST_CLIENT_ID or name.startswith("$"):
        return BAD_CLIENT_ID, f"client id {name!r}: 1 to {LONGEST_CLIENT_ID} bytes, no $"
    if not allows("Connect", f"client/{name}"):
        return NOT_AUTHORIZED, f"no policy allows iot:Connect as {name}"
    if connect.will and not allows("Publish", f"topic/{connect.will.topic}"):
        return NOT_AUTHORIZED, f"no policy allows the will on {connect.will.topic}"
    return None


def attributes(connect: Connect) -> list[str]:
    """`iot:ConnectAttributes` of the policy's conditions."""
    persistent = life_s(connect) > 0
    return ["PersistentConnect"] * persistent + ["LastWill"] * (connect.will is not None)


def life_s(connect: Connect) -> int:
    """How long the session outlives its connection."""
    if connect.version == V5:
        return min(int(connect.properties.get("SessionExpiryInterval", 0)), LONGEST_S)
    return 0 if connect.clean else LONGEST_S


def keep_alive_s(connect: Connect) -> int:
    """AWS's clamp: 0 and what is above the greatest are the greatest."""
    wanted = connect.keep_alive_s or LONGEST_KEEP_ALIVE_S
    return min(max(wanted, SHORTEST_KEEP_ALIVE_S), LONGEST_KEEP_ALIVE_S)


def connack_properties(connect: Connect, assigned: str | None) -> dict[str, Any]:
    """Properties of the CONNACK."""
    found: dict[str, Any] = {
        "SessionExpiryInterval": life_s(connect),
        "ReceiveMaximum": MOST_UNACKNOWLEDGED,
        "MaximumQoS": 1,
        "RetainAvailable": 1,
        "MaximumPacketSize": LARGEST_PACKET,
        "TopicAliasMaximum": MOST_ALIASES,
        "WildcardSubscriptionAvailable": 1,
        "SubscriptionIdentifierAvailable": 0,
        "SharedSubscriptionAvailable": 0,
    }
    if assigned is not None:
        found["AssignedClientIdentifier"] = assigned
    if keep_alive_s(connect) != connect.keep_alive_s:
        found["ServerKeepAlive"] = keep_alive_s(connect)
    return found
