"""What a nucleus asks with its certificate: candidates, and the groups of its thing.

Only policies of the certificate itself count here: AWS does not read those of thing groups for the
data plane (developer guide, "Minimal AWS IoT policy").
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from devcloud.greengrass_v2.backends import service_of
from devcloud.greengrass_v2.service import ApiRefusal
from devcloud.iot.policy import Request, allows
from devcloud.iot.web import Refused

if TYPE_CHECKING:
    from devcloud.iot.registry import Peer, Registry

PREFIX = "/greengrass/v2/"
_CANDIDATES = "resolveComponentCandidates"
_GROUPS = re.compile(r"coreDevices/(?P<thing>[^/]+)/thingGroups\Z")


def answer(registry: Registry, peer: Peer, method: str, path: str, body: bytes) -> dict[str, Any]:
    """The answer's body. Raises Refused: 403 for rights, 404 for what is not there or served."""
    rest = path.removeprefix(PREFIX)
    if method == "POST" and rest == _CANDIDATES:
        _check(registry, peer, "ResolveComponentCandidates")
        asked = json.loads(body or b"{}")
        service = service_of(registry.account, registry.region)
        try:
            found = service.resolve(list(asked.get("componentCandidates") or []))
        except ApiRefusal as error:
            raise Refused(error.status, str(error)) from error
        return {"resolvedComponentVersions": found}
    if method == "GET" and (named := _GROUPS.match(rest)):
        thing = named["thing"]
        _check(registry, peer, "ListThingGroupsForCoreDevice")
        if not registry.is_attached(peer, thing):
            raise Refused(403, f"the certificate is not {thing}'s")
        return {"thingGroups": [_group(arn) for arn in sorted(registry.groups_of(thing))]}
    raise Refused(404, f"{method} {path} is not served")


def _check(registry: Registry, peer: Peer, action: str) -> None:
    own = registry.arn(f"cert/{peer.certificate_id}")
    policies = [
        json.loads(text) if isinstance(text := policy.document, str) else text
        for (target, _), (_, policy) in list(registry.backend.principal_policies.items())
        if target == own
    ]
    context = registry.context(peer, None)
    if not allows(policies, Request(f"greengrass:{action}", "*"), context):
        raise Refused(403, f"no policy of the certificate allows greengrass:{action}")


def _group(arn: str) -> dict[str, str]:
    return {"thingGroupName": arn.rpartition("/")[2], "thingGroupArn": arn}
