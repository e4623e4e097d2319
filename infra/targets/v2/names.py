"""Names and versions of a site's components; the same at every render."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.targets.iot.names import IotNames

_BITS = 30
"""Of each number of a version: Java's nucleus reads them into 32-bit integers."""


@dataclass(frozen=True)
class V2Names(IotNames):
    """`runtime`, `core` and `model`: names of the site's own components."""

    generation: int = 1

    @property
    def runtime(self) -> str:
        return f"fanfold.{self.site}.Runtime"

    @property
    def core(self) -> str:
        return f"fanfold.{self.site}.Core"

    @property
    def model(self) -> str:
        return f"fanfold.{self.site}.Model"

    @property
    def role(self) -> str:
        """Fixed, so that both stacks can name it. At most 64 characters (IAM)."""
        whole = f"fanfold-{self.site}-{self.region}-tes"
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        return whole if len(whole) <= 64 else f"fanfold-{digest}-{self.region}-tes"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> V2Names:
        settings = document.get("Target", {}).get("Components", {})
        where = document["Name"], document["Account"], document["Region"]
        return cls(*where, generation=int(settings.get("generation", 1)))


def content_version(content: Mapping[str, Any], generation: int) -> str:
    """`G.N.N`: the generation, then the content's SHA-256; another content is another version.

    Component versions are immutable (developer guide, CreateComponentVersion). These do not order,
    so deployments name them exactly. A content that comes back needs another generation, because
    its first version is retained.
    """
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    number = int.from_bytes(hashlib.sha256(canonical).digest()[:8], "big")
    mask = (1 << _BITS) - 1
    return f"{generation}.{number & mask}.{number >> _BITS & mask}"
