"""`GET /api/status` of the core (docs/spec/core.md): who makes it and who reads it share the type.

Every part may be missing: readers also meet the answer of an older core.
"""

from __future__ import annotations

from typing import Any, Mapping, TypedDict


class CoreStatus(TypedDict, total=False):
    """`ports`: ipc, mqtt, mqtt_plain, http; None: off."""

    thing: str | None
    version: str
    uptime_s: float
    pid: int
    ports: dict[str, int | None]


class GroupStatus(TypedDict, total=False):
    """`history`: the last deployments, oldest first."""

    name: str | None
    id: str | None
    version: str | None
    deployment: str | None
    applied_at: float | None
    uncommitted: bool
    history: list[dict[str, Any]]


class FunctionStatus(TypedDict, total=False):
    """One function: `state` is starting, running, backoff, crash_loop, stopped or hung.

    `startable` false: this machine lacks what it runs with, `last_error` says what.
    `accelerators`: the cards that its worker reports, compared with the driver (`messages.md`).
    """

    id: str
    arn: str
    pinned: bool
    state: str
    startable: bool
    pid: int | None
    workers: int
    restarts: int
    queue: int
    oldest_ms: float
    invocations: int
    errors: int
    rss_kb: int
    gpu_id: str | None
    accelerators: list[dict[str, Any]]
    runtime: str | None
    interpreter: str | None
    isolation: Any
    last_error: str | None


class RouterStatus(TypedDict, total=False):
    """Work items in all queues and their limit; counters since the core's start."""

    work_items: int
    limit: int
    delivered: int
    refused: int
    unrouted: int


class MqttStatus(TypedDict, total=False):
    """`too_large`: messages above the limit that were refused, by thing."""

    too_large: dict[str, int]
    clients: list[dict[str, Any]]


class SpoolStatus(TypedDict, total=False):
    """The spool and its sink; times are epoch seconds."""

    sink: str
    policy: str
    quota_bytes: int
    spooled: int
    spooled_bytes: int
    put: int
    sent: int
    dropped: int
    dropped_by_reason: dict[str, int]
    refused: int
    refused_by_reason: dict[str, int]
    refusing: str | None
    renumbered: int
    gaps: list[list[int]]
    rescued: int
    failures: int
    last_error: str | None
    last_sync: float | None


class UplinkStatus(SpoolStatus, total=False):
    """With a device certificate (docs/spec/iot.md) also the connection to AWS IoT Core."""

    in_flight: int
    window: int
    one_at_a_time: bool
    forbidden_topics: list[str]
    quarantined: dict[str, Any]
    link: dict[str, Any]
    from_cloud: dict[str, Any]
    shadows: dict[str, Any]
    credentials: dict[str, Any]
    jobs: dict[str, Any]


class Status(TypedDict, total=False):
    """`stats`: the last message of each part on `{site}/stats`, as anybody may have sent it.
    `silence_s`: how long since each part's stats and each worker's heartbeat, in seconds."""

    v: int
    core: CoreStatus
    group: GroupStatus
    functions: list[FunctionStatus]
    router: RouterStatus
    mqtt: MqttStatus
    cloud: UplinkStatus
    stats: Mapping[str, Any]
    silence_s: Mapping[str, Mapping[str, float]]
    findings: list[str]
    doctor: Mapping[str, Any]
