"""Names and ARNs that a site implies. The stack creates what they name and changes none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from contract.topics import Topics
from infra.planning.cores import CONSOLE
from infra.planning.model import Thing
from infra.planning.site import Site

ALIAS = "live"
_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


def rule_name(site: str, what: str) -> str:
    """Of an AWS IoT topic rule: no hyphens, which site names have; those have no underscores."""
    return f"fanfold_{site.replace('-', '_')}_{what}"


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one site."""

    site: Site

    @property
    def partition(self) -> str:
        region = self.site.region
        return next((p for prefix, p in _PARTITIONS.items() if region.startswith(prefix)), "aws")

    def function(self, function_id: str) -> str:
        return f"fanfold-{self.site.name}-{function_id}"

    def function_arn(self, function_id: str) -> str:
        """Qualified by an alias: `$LATEST` is refused by Greengrass."""
        where = f"{self.site.region}:{self.site.account}"
        name = self.function(function_id)
        return f"arn:{self.partition}:lambda:{where}:function:{name}:{ALIAS}"

    def core(self) -> Thing:
        return self._thing("core", self.site.core.thing, self.site.core.certificate)

    def devices(self) -> tuple[Thing, ...]:
        """The cameras that send, and the console: the operator's own device on the local broker."""
        core = self.site.core.thing
        cameras = [
            self._thing(camera.name, f"{core}-{camera.name}", camera.certificate)
            for camera in self.site.cameras
            if camera.source is None
        ]
        certificate = self.site.console.certificate
        return (*cameras, self._thing(CONSOLE, f"{core}-{CONSOLE}", certificate))

    def _thing(self, thing_id: str, name: str, certificate: str | None) -> Thing:
        where = f"arn:{self.partition}:iot:{self.site.region}:{self.site.account}"
        return Thing(
            id=thing_id,
            name=name,
            arn=f"{where}:thing/{name}",
            certificate_arn=certificate or f"{where}:cert/{placeholder(name)}",
            provisioned=certificate is not None,
        )


def topics_of(site: Site) -> Topics:
    """With targets iot and v2 a core speaks to the cloud on topics that carry its thing's name."""
    return Topics(site.name, site.core.thing if site.target != "v1" else None)


def placeholder(thing: str) -> str:
    """Id of a certificate that does not exist yet: valid in form, and seen to be none.

    The API wants an ARN for every thing, and the group must be printable before provisioning.
    """
    return hashlib.sha256(thing.encode()).hexdigest()[:8].rjust(64, "0")
