"""Certificates off their things, so that a stack can delete the things; nothing else changes.

AWS IoT refuses to delete a thing with a certificate. `fanfold provision` attaches them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def detach_certificates(client: Any, things: Iterable[str]) -> list[str]:
    """`client` is boto3's IoT client; returns the things that had one."""
    detached = []
    for thing in things:
        try:
            principals = client.list_thing_principals(thingName=thing)["principals"]
        except client.exceptions.ResourceNotFoundException:
            continue
        for principal in principals:
            client.detach_thing_principal(thingName=thing, principal=principal)
            detached.append(thing)
    return detached
