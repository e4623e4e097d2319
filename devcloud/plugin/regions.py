"""A service's regions, from AWS's list of endpoints alone.

boto3 reads the description of a service's whole API to learn under what name that list has it.
moto asks for EC2's regions as it is imported, and for each service's at its first request: a
second of what a short-lived cloud computes.
"""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Before anything of moto is imported."""
    from boto3.session import Session

    from devcloud.plugin.plain import as_moto_wrote

    asked = as_moto_wrote(Session, "get_available_regions")

    def get_available_regions(
        self: Any, service_name: str, partition_name: str = "aws", allow_non_regional: bool = False
    ) -> list[str]:
        resolver = self._session._get_internal_component("endpoint_resolver")
        found: list[str] = resolver.get_available_endpoints(
            service_name, partition_name, allow_non_regional
        )
        # Of another name in the list, or of no region: boto3 knows.
        return found or asked(self, service_name, partition_name, allow_non_regional)

    Session.get_available_regions = get_available_regions
