"""What the core is told at its start (docs/spec/core.md), as one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CloudSink = Literal["local", "iot"]
HEALTH_LIMIT_S = 300.0
"""For a new deployment to pass its health gate, where nothing else is given."""


@dataclass(frozen=True, kw_only=True)
class Web:
    """``listen``: ADDRESS:PORT for users with roles, beside the loopback port."""

    names: tuple[str, ...] = ()
    listen: str | None = None
    no_tls: bool = False
    certificate: Path | None = None
    key: Path | None = None
    trust_header: str | None = None
    trust_from: tuple[str, ...] = ()
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """Ports: 0 is any free one, None is off."""

    group: str
    state: Path = Path(".fanfold/core")
    ipc_port: int = 8000
    mqtt_port: int | None = 8883
    mqtt_plain_port: int | None = None
    http_port: int | None = 8080
    web: Web = field(default_factory=Web)
    pythons: Mapping[str, str] = field(default_factory=dict)
    isolation: Literal["auto", "none"] = "auto"
    function_user: str = "auto"
    insecure_core_user: bool = False
    cloud: CloudSink = "local"
    endpoint_url: str | None = None
    region: str | None = None
    poll_s: float = 5.0
    health_s: float = HEALTH_LIMIT_S
    fault_plan: Path | None = None
    doctor: tuple[str, ...] = ()
    join: Path | None = None
    discovery_port: int | None = None
    device_certificates: str | None = None
    secrets: Path | None = None
    iot_endpoint: str | None = None
    iot_proxy: str | None = None
    insecure_static_credentials: bool = False
    history: bool = True


class CoreError(Exception):
    """The core cannot start; subject, value, limit, remedy in one line."""

    def __init__(self, message: str, *, exit_code: int = 3) -> None:
        super().__init__(message)
        self.exit_code = exit_code
