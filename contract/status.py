"""`GET /api/status` of the core (docs/spec/core.md): who makes it and who reads it share the type.

Every part may be missing: readers also meet the answer of an older core.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence, TypedDict


class CoreStatus(TypedDict, total=False):
    """`ports`: ipc, mqtt, mqtt_plain, http; None: off. `clock`: this machine's, epoch seconds.
    `rss_kb`: of the core's own process."""

    thing: str | None
    version: str
    uptime_s: float
    clock: float
    pid: int
    rss_kb: int
    ports: dict[str, int | None]


class Refusal(TypedDict):
    """The deployment that is not wanted on this machine, and why."""

    deployment: str
    reason: str


class TrialStatus(TypedDict):
    """The first live images of a new deployment: how many of `images` were answered and how many
    the model failed; above the share `max_failed` the deployment before comes back."""

    answered: int
    failed: int
    images: int
    max_failed: float


class SpeedStatus(TypedDict):
    """Milliseconds of inference for an image, `median` and `p99`, of `images` that both timed."""

    images: int
    old: dict[str, float]
    new: dict[str, float]


class CanaryStatus(TypedDict, total=False):
    """How a new model compares with the one that serves (docs/spec/canary.md). `state`: starting,
    comparing, passed, refused, ended. `model`, `against`: of the workers, once they said it."""

    v: int
    deployment: str
    state: str
    reason: str
    model: Mapping[str, Any] | None
    against: Mapping[str, Any] | None
    rule: Mapping[str, float]
    began: float
    ended: float | None
    starts: int
    compared: int
    disagreed: int
    failed: int
    improved: int
    not_comparable: int
    deaths: int
    agreement: Mapping[str, Any]
    flips: list[Mapping[str, Any]]
    score_drift: Mapping[str, Any]
    inference_ms: SpeedStatus | None
    worst: Sequence[Mapping[str, Any]]


class GroupStatus(TypedDict, total=False):
    """`history`: the last deployments, oldest first. `refused`: the last that was rolled back or
    could not be applied, also when something newer runs since. `running` false: one deployment
    gives way to another, or none can be started."""

    name: str | None
    id: str | None
    version: str | None
    deployment: str | None
    applied_at: float | None
    uncommitted: bool
    running: bool
    refused: Refusal | None
    trial: TrialStatus | None
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


class RefusedClient(TypedDict):
    """A client that may not connect: `who` is its client id, or its address where it has said none.
    `since_s`: seconds since the last attempt."""

    who: str
    reason: str
    count: int
    since_s: float


class MqttStatus(TypedDict, total=False):
    """`too_large`: messages above the limit that were refused, by thing."""

    too_large: dict[str, int]
    refused_clients: list[RefusedClient]
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
    problem: str | None
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


class RefusedImages(TypedDict):
    """What one camera was refused lately, for one reason. `since_s`: seconds since the last."""

    camera: str
    reason: str
    count: int
    since_s: float


class RecentStatus(TypedDict, total=False):
    """What happened lately, from the counters in `stats` by the core's monotonic clock.

    `window_s`: the seconds that the counts are of; longer while nothing newer has come.
    `answered`: images with a result; `failed`: without one, `model_errors` of them by the model's
    fault; `dropped`: by a quota or an operator. `unanswered_s`: seconds for which images have
    waited and none was finished. `cloud_lost`: messages and results that a quota cost.
    `busy_limit_s`: for how long the site lets one image keep a worker (`timeouts.worker_s`).
    """

    window_s: float
    accepted: int
    answered: int
    failed: int
    model_errors: int
    dropped: int
    unanswered_s: float
    busy_limit_s: float
    cloud_lost: int
    refused_images: list[RefusedImages]


class DiskStatus(TypedDict):
    """One file system. `use`: what is on it, such as `state, images`. `read_only`: as mounted.
    `files`: how many it can hold, and `free_files` more of them; 0: it has no such limit."""

    use: str
    path: str
    free_bytes: int
    size_bytes: int
    read_only: bool
    files: int
    free_files: int


class CertificateStatus(TypedDict):
    """`expires_in_s`: negative: it has expired."""

    name: str
    expires_in_s: float


class Reason(TypedDict):
    """One cause of a verdict that is not `ok`: what it is about, what is wrong, what to do.

    `code`: for machines, a closed set (docs/spec/verdict.md). `level`: `down` or `degraded`.
    `blocks`: an image that is published now would be refused or left waiting.
    `requested`: an operator asked for it: nothing is broken, and it does not end by itself.
    `lasting`: this machine lacks something for a function; the others run without it.
    `gate`: a new deployment's health gate waits for its end.
    """

    code: str
    level: str
    subject: str
    problem: str
    remedy: str
    blocks: bool
    requested: bool
    lasting: bool
    gate: bool


class Verdict(TypedDict):
    """`state`: `ok`, `degraded` (images are inspected, something is wrong) or `down`.
    `ready`: an image that is published now would be inspected. `reasons`: the worst first."""

    state: str
    ready: bool
    reasons: list[Reason]


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
    recent: RecentStatus
    disks: list[DiskStatus]
    replaced: list[str]
    certificates: list[CertificateStatus]
    verdict: Verdict
    findings: list[str]
    doctor: Mapping[str, Any]
    history: Mapping[str, Any]
    alerts: Mapping[str, Any]
    canary: CanaryStatus
