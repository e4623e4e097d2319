"""The page on the local network: options of `fanfold run` as the core's arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Listen:
    """As they were given."""

    listen: str | None = None
    no_tls: bool = False
    names: list[str] = field(default_factory=list)
    certificate: Path | None = None
    key: Path | None = None
    trust_header: str | None = None
    trust_from: list[str] = field(default_factory=list)

    def arguments(self) -> list[str]:
        """For ``python -m edgecore``, which says what does not fit together."""
        single = {
            "--listen": self.listen,
            "--http-certificate": self.certificate and self.certificate.absolute(),
            "--http-key": self.key and self.key.absolute(),
            "--trust-header": self.trust_header,
        }
        made = [word for name, value in single.items() if value for word in (name, str(value))]
        made += [word for name in self.names for word in ("--http-name", name)]
        made += [word for address in self.trust_from for word in ("--trust-from", address)]
        return [*made, "--no-tls"] if self.no_tls else made
