"""What `--json` prints, verb by verb: the contract for programs (docs/reference/json.md).

A key that is named here stays, with its type and meaning, for as long as `v` is 1; more keys may
come. Times are epoch seconds, durations say their unit in the name.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from fanfold.checks.outcome import Level
from fanfold.cloud.deployed import Deployment
from fanfold.reference.act_answers import ACTS
from fanfold.reference.answer import Answer, Versioned
from fanfold.reference.canary_answer import CanaryAnswer
from fanfold.reference.devcloud_answers import DEVCLOUD
from fanfold.reference.fleet_answer import InitAnswer, SitesAnswer
from fanfold.reference.history_answers import (
    AcknowledgeAnswer,
    AlertsAnswer,
    AlertsTestAnswer,
    HistoryLine,
)
from fanfold.reference.model_answers import (
    ModelCompileAnswer,
    ModelInspectAnswer,
    ModelNewAnswer,
    ModelPublishAnswer,
    ModelTryAnswer,
    PoolLine,
)
from fanfold.reference.people_answers import PEOPLE
from fanfold.reference.replay_answer import ReplayAnswer
from fanfold.reference.rollout_answer import RolloutAnswer
from fanfold.reference.verdict_answer import VerdictAnswer
from infra.planning import Estimate, Finding, Profile, Reason
from infra.planning.difference import Change

ImageStatus = Literal["ok", "failed", "dropped", "gap"]


class Examination(Answer):
    check: str = Field(description="The check's name.")
    level: Level
    message: str
    fix: str = Field(description="What to do about a warning or an error, else empty.")


class DoctorAnswer(Versioned):
    checks: list[Examination] = Field(description="All of them, in the order of the help.")


class PlanAnswer(Versioned):
    site: str
    group: dict[str, Any] = Field(description="The group document, docs/spec/group-document.md.")
    reasons: list[Reason] = Field(description="Why each number is what it is.")
    findings: list[Finding] = Field(description="docs/spec/findings.md.")
    estimate: Estimate


class FunctionStatus(Answer):
    id: str
    arn: str
    pinned: bool
    state: Literal["starting", "running", "backoff", "crash_loop", "stopped", "hung"]
    startable: bool = Field(True, description="Whether this machine has what it runs with.")
    pid: int | None
    restarts: int
    queue: int = Field(description="Work items waiting.")
    oldest_ms: float = Field(description="Age of the oldest of them.")
    invocations: int
    errors: int
    rss_kb: int | None
    gpu_id: str | None = Field(description="`-1`: the CPU; null: not a worker.")
    accelerators: list[dict[str, Any]] = Field(
        [], description="The cards that its worker reports: UUID, PCI address, name, `verified`."
    )
    last_error: str | None


class Deployed(Answer):
    deployment: str
    t: float
    outcome: Literal[
        "applied", "rolled back", "not healthy", "refused", "already running", "canary",
        "canary ended",
    ]  # fmt: skip


class GroupStatus(Answer):
    name: str | None
    version: str | None
    deployment: str | None
    applied_at: float | None
    history: list[Deployed] = Field(description="The last 20, oldest first.")


class CoreStatus(Answer):
    thing: str | None
    version: str
    uptime_s: float
    pid: int
    ports: dict[str, int | None] = Field(description="ipc, mqtt, mqtt_plain, http; null: off.")


class CloudStatus(Answer):
    sink: str
    spooled: int = Field(description="Messages waiting.")
    spooled_bytes: int
    sent: int
    dropped: int = Field(description="Dropped because the spool was full, by the group's policy.")
    last_sync: float | None


class DoctorStatus(Answer):
    t: float | None = Field(None, description="When the checks ran; absent before the first run.")
    counts: dict[str, int] = Field(default_factory=dict, description="Checks by level.")
    checks: list[Examination] = Field(default_factory=list, description="Errors, then warnings.")
    problem: str | None = Field(None, description="Why the checks did not run.")


class StatusAnswer(Versioned):
    """The core's `GET /api/status`, docs/spec/core.md."""

    core: CoreStatus
    group: GroupStatus
    functions: list[FunctionStatus]
    router: dict[str, int] = Field(description="work_items, limit, delivered, refused, unrouted.")
    cloud: CloudStatus
    stats: dict[str, dict[str, Any]] = Field(
        description="The last stats of each part, docs/spec/messages.md."
    )
    verdict: VerdictAnswer
    findings: list[str]
    doctor: DoctorStatus


class SendAnswer(Versioned):
    accepted: int = Field(description="Images accepted (durable in the journal).")
    duplicates: int = Field(description="Of those, images that were accepted before.")
    resent: int = Field(description="Publishes after the first.")
    rejected: dict[str, str] = Field(description="Event id → reason.")
    elapsed_s: float


class DrainedWorker(Answer):
    name: str
    state: Literal["ready", "draining", "drained", "unknown", "silent", "hung"]
    inflight: int = Field(description="Images in progress.")
    drained: bool = Field(
        description="Requested by an operator; also set for a worker that does not answer."
    )


class DrainAnswer(Versioned):
    """Printed when the wait runs out as well."""

    site: str
    drain: bool = Field(description="false: `--resume`.")
    done: bool = Field(description="All get work again, or none of them holds an image.")
    workers: list[DrainedWorker] = Field(description="The workers that were asked for.")
    backlog: int = Field(description="Images of the site without a result.")


class ModelName(Answer):
    name: str
    version: str
    sha256: str


class ResultLine(Answer):
    """A line for each record, docs/spec/messages.md; a gap has `stream`, `seq`, `status` only."""

    stream: str
    seq: int
    status: ImageStatus
    id: str | None = None
    reason: str | None = Field(None, description="Of a failed or dropped image.")
    output: dict[str, Any] | None = Field(None, description="`top` or `boxes`, or a hook's own.")
    ms: dict[str, float] | None = Field(
        None, description="queue, read, transform, inference, order."
    )
    worker: str | None = None
    model: ModelName | None = None
    late: bool = Field(False, description="It came after its gap record.")


class Stage(Answer):
    stage: str
    ms: float


class TraceAnswer(Versioned):
    """One image; without an image `traces`, the slowest, each of this form without `v`."""

    stream: str
    seq: int
    id: str
    status: ImageStatus
    worker: str
    t_start: float
    total_ms: float = Field(description="The sum of the stages.")
    reached_cloud: bool
    stages: list[Stage] = Field(description="docs/spec/metrics.md.")


class LogLine(Answer):
    """A line for each line of the log; other text has `function` and `message` only."""

    function: str
    message: str
    t: float | None = None
    level: str | None = None
    logger: str | None = None
    image: str | None = Field(None, description="The id of the image that the line is about.")
    stream: str | None = None
    seq: int | None = None


class DiffAnswer(Versioned):
    site: str
    deployed: Deployment | None = Field(description="What runs now; null: nothing is deployed.")
    changes: list[Change]
    restarts: bool = Field(description="Whether a deployment would replace the group.")


class RollbackAnswer(Versioned):
    """With `--list` only `site` and `deployments`."""

    site: str
    target: Deployment | None = Field(None, description="What the site was rolled back to.")
    changes: list[Change] = Field(default_factory=list)
    status: str | None = Field(None, description="Of the deployment, as Greengrass names it.")
    deployments: list[Deployment] = Field(default_factory=list, description="Of `--list`.")


class Setting(Answer):
    """Its axes (`workers`, `threads`, `batch`, …) are keys as well."""

    images_per_s: float
    p99_ms: float | None = Field(description="Publish to ordered result; null: none came.")
    predicted_images_per_s: float | None
    refused: str | None = Field(description="Why the planner refuses it.")


class TuneAnswer(Versioned):
    best: Setting
    tried: list[Setting]
    settings: int = Field(description="Points of the whole grid.")
    values: dict[str, int | str] = Field(description="Keys of the site, and what to set.")
    written: bool = Field(description="Whether the site's file has them now.")


class DemoAnswer(Answer):
    seconds: dict[str, float] = Field(description="Step → what it took.")


class BundleAnswer(Versioned):
    path: str
    version: str = Field(description="Fanfold's, and ten digits of a hash over all files.")
    size: int = Field(description="Bytes of the archive.")
    parts: dict[str, int] = Field(description="Bytes of each part, the largest first.")


ANSWERS: dict[str, type[BaseModel]] = {
    "doctor": DoctorAnswer,
    "demo": DemoAnswer,
    "init": InitAnswer,
    "plan": PlanAnswer,
    "diff": DiffAnswer,
    "rollback": RollbackAnswer,
    "status": StatusAnswer,
    "send": SendAnswer,
    "results": ResultLine,
    "trace": TraceAnswer,
    "history": HistoryLine,
    "alerts acknowledge": AcknowledgeAnswer,
    "alerts list": AlertsAnswer,
    "alerts test": AlertsTestAnswer,
    "canary": CanaryAnswer,
    "replay": ReplayAnswer,
    "rollout": RolloutAnswer,
    "sites": SitesAnswer,
    "logs": LogLine,
    "drain": DrainAnswer,
    "tune": TuneAnswer,
    "detect": Profile,
    "bundle": BundleAnswer,
    "pool": PoolLine,
    "model new": ModelNewAnswer,
    "model inspect": ModelInspectAnswer,
    "model publish": ModelPublishAnswer,
    "model compile": ModelCompileAnswer,
    "model try": ModelTryAnswer,
    **ACTS,
    **DEVCLOUD,
    **PEOPLE,
}
"""Verb → its answer; of `results`, `logs`, `pool` and `model try` one line of it."""
