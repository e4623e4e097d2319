"""What a function is told by its environment, read once (docs/spec/environment.md).

Every wrong or missing variable is reported in one `SettingsError`: a function that
cannot start is redeployed by hand, and nobody wants to do that once per variable.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Mapping

from contract.accelerators.cards import GpuId, parse_gpu_id
from lambdas.common.variables import Reader

QUOTA_POLICIES = ("reject", "drop_oldest", "drop_newest")
CUSTODY_MODES = ("link", "copy")
# Python's names, and those of a Greengrass logger (WARN, FATAL).
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL")
_ROLES = ("splitter", "inference", "aggregator", "transform", "grabber")
# A batch of items with the longest paths and ids still fits one message.
MAX_BATCH = 32


@dataclass(frozen=True)
class Common:
    """Settings that every Fanfold function has. Paths are absolute."""

    site: str
    role: str
    images_dir: str
    state_dir: str
    log_level: str

    @property
    def own_state_dir(self) -> str:
        """Folder of this role; one role never writes in another's."""
        return os.path.join(self.state_dir, self.role)


@dataclass(frozen=True)
class Health:
    """How often a part reports itself to the cloud, and where; an empty topic: never."""

    topic: str
    every_s: float
    thing: str


@dataclass(frozen=True)
class SplitterSettings(Common):
    health: Health
    images_topic: str
    work_topic: str
    done_topic: str
    stats_topic: str
    cameras: tuple[str, ...]
    workers: tuple[str, ...]
    window: int
    batch: int
    worker_timeout_s: float
    max_backlog: int
    backlog_policy: str
    journal_bytes: int
    drop_folder: str
    on_demand: bool = False
    # Patterns of sub-folders of a camera's drop folder; how long an image without its end is
    # waited for.
    drop_subfolders: tuple[str, ...] = ("dated",)
    drop_wait_s: float = 30.0
    custody: str = "link"
    custody_bytes: int = 0


@dataclass(frozen=True)
class InferenceSettings(Common):
    worker: str
    gpu_id: GpuId
    model_dir: str
    done_topic: str
    heartbeat_topic: str
    worker_timeout_s: float
    cv_threads: int
    earlier_end: str
    # Strategy `decoupled`: whose tensors it takes, and where they are. Empty: none.
    transforms: tuple[str, ...] = ()
    shm_dir: str = ""

    @property
    def on_gpu(self) -> bool:
        return self.gpu_id.index >= 0


@dataclass(frozen=True)
class TransformSettings(Common):
    """`slots`: of its ring, for each row of the network's batch."""

    worker: str
    model_dir: str
    done_topic: str
    heartbeat_topic: str
    tensor_topic: str
    inference_workers: tuple[str, ...]
    shm_dir: str
    slots: int
    worker_timeout_s: float
    cv_threads: int
    earlier_end: str


@dataclass(frozen=True)
class AggregatorSettings(Common):
    health: Health
    cameras: tuple[str, ...]
    results_topic: str
    late_topic: str
    jobs_topic: str
    ack_topic: str
    stats_topic: str
    cloud_topic: str
    cloud_jobs_topic: str
    cloud_batch_s: float
    max_wait_s: float
    max_hold: int
    job_linger_s: float
    outbox_bucket: str
    outbox_prefix: str
    outbox_bytes: int
    outbox_every_s: float
    thing: str


def common(read: Reader, role: str) -> dict[str, Any]:
    """The fields of `Common`."""
    fields = {
        "site": read.name("FANFOLD_SITE"),
        "role": read.choice("FANFOLD_ROLE", role, _ROLES),
        "images_dir": read.path("FANFOLD_IMAGES_DIR"),
        "state_dir": read.path("FANFOLD_STATE_DIR"),
        "log_level": read.choice("FANFOLD_LOG_LEVEL", "INFO", LOG_LEVELS),
    }
    if fields["role"] != role:
        read.problems.append(f"FANFOLD_ROLE={fields['role']!r}: this function is {role!r}")
    return fields


def _health(read: Reader) -> Health:
    return Health(
        topic=read.topic("FANFOLD_HEALTH_TOPIC", ""),
        every_s=read.seconds("FANFOLD_HEALTH_EVERY_S", 60, 1, 3600),
        thing=read.text("AWS_IOT_THING_NAME", ""),
    )


def splitter_settings(env: Mapping[str, str] = os.environ) -> SplitterSettings:
    """Read the splitter's settings; raises `SettingsError` with every problem."""
    read = Reader(env)
    settings = SplitterSettings(
        health=_health(read),
        images_topic=read.prefix("FANFOLD_IMAGES_TOPIC"),
        work_topic=read.prefix("FANFOLD_WORK_TOPIC"),
        done_topic=read.topic("FANFOLD_DONE_TOPIC"),
        stats_topic=read.topic("FANFOLD_STATS_TOPIC", ""),
        cameras=read.names("FANFOLD_CAMERAS"),
        workers=read.names("FANFOLD_WORKERS"),
        window=read.integer("FANFOLD_WINDOW", 2, 1, 64),
        batch=read.integer("FANFOLD_BATCH", 8, 1, MAX_BATCH),
        worker_timeout_s=read.seconds("FANFOLD_WORKER_TIMEOUT_S", 30, 0.1, 3600),
        max_backlog=read.integer("FANFOLD_MAX_BACKLOG", 20_000, 1, 1_000_000),
        backlog_policy=read.choice("FANFOLD_BACKLOG_POLICY", "reject", QUOTA_POLICIES),
        journal_bytes=read.integer("FANFOLD_JOURNAL_BYTES", 1 << 30, 1 << 20, 1 << 44),
        on_demand=env.get("FANFOLD_ON_DEMAND") == "1",
        drop_folder="" if env.get("FANFOLD_DROP_FOLDER") == "" else _drop_folder(read),
        drop_subfolders=_patterns(env.get("FANFOLD_DROP_SUBFOLDERS", "dated")),
        drop_wait_s=read.seconds("FANFOLD_DROP_WAIT_S", 30, 1, 3600),
        custody=read.choice("FANFOLD_CUSTODY", "link", CUSTODY_MODES),
        custody_bytes=read.integer("FANFOLD_CUSTODY_BYTES", 0, 0, 1 << 50),
        **common(read, "splitter"),
    )
    read.finish()
    return settings


def _drop_folder(read: Reader) -> str:
    value = read.text("FANFOLD_DROP_FOLDER", "drop")
    if value.startswith("/") or ".." in value.split("/"):
        read.problems.append(
            f"FANFOLD_DROP_FOLDER={value!r}: name a folder below the images volume"
        )
    return value


def _patterns(value: str) -> tuple[str, ...]:
    return tuple(pattern.strip() for pattern in value.split(",") if pattern.strip())


def inference_settings(env: Mapping[str, str] = os.environ) -> InferenceSettings:
    """Read a worker's settings; `model_dir` already has AWS_GG_RESOURCE_PREFIX in front.

    Raises `SettingsError` with every problem.
    """
    read = Reader(env)
    fed = bool(env.get("FANFOLD_TRANSFORM_WORKERS"))
    settings = InferenceSettings(
        gpu_id=_gpu_id(read),
        transforms=read.names("FANFOLD_TRANSFORM_WORKERS") if fed else (),
        shm_dir=read.path("FANFOLD_SHM_DIR") if fed else "",
        **_of_worker(read),
        **common(read, "inference"),
    )
    read.finish()
    return settings


def _gpu_id(read: Reader) -> GpuId:
    try:
        return parse_gpu_id(read.text("GPU_ID", "-1"))
    except ValueError as error:
        read.problems.append(str(error))
        return GpuId(-1)


def transform_settings(env: Mapping[str, str] = os.environ) -> TransformSettings:
    """Read a transform function's settings; raises `SettingsError` with every problem."""
    read = Reader(env)
    settings = TransformSettings(
        tensor_topic=read.prefix("FANFOLD_TENSOR_TOPIC"),
        inference_workers=read.names("FANFOLD_INFERENCE_WORKERS"),
        shm_dir=read.path("FANFOLD_SHM_DIR"),
        slots=read.integer("FANFOLD_TENSOR_SLOTS", 4, 2, 256),
        **_of_worker(read),
        **common(read, "transform"),
    )
    read.finish()
    return settings


def _of_worker(read: Reader) -> dict[str, Any]:
    """What every function reads that touches images or the model."""
    model_dir = read.path("FANFOLD_MODEL_DIR")
    # Without a container the core links resources below this prefix (GGC >= 1.10).
    prefix = read.env.get("AWS_GG_RESOURCE_PREFIX", "")
    return {
        "worker": read.name("FANFOLD_WORKER"),
        "model_dir": prefix.rstrip("/") + model_dir if prefix else model_dir,
        "done_topic": read.topic("FANFOLD_DONE_TOPIC"),
        "heartbeat_topic": read.topic("FANFOLD_HEARTBEAT_TOPIC"),
        "worker_timeout_s": read.seconds("FANFOLD_WORKER_TIMEOUT_S", 30, 0.1, 3600),
        "cv_threads": read.integer("FANFOLD_CV_THREADS", 1, 0, 1024),
        "earlier_end": read.text("FANFOLD_EARLIER_END", ""),
    }


def aggregator_settings(env: Mapping[str, str] = os.environ) -> AggregatorSettings:
    """Read the aggregator's settings; raises `SettingsError` with every problem."""
    read = Reader(env)
    settings = AggregatorSettings(
        health=_health(read),
        cameras=read.names("FANFOLD_CAMERAS"),
        results_topic=read.prefix("FANFOLD_RESULTS_TOPIC"),
        late_topic=read.prefix("FANFOLD_LATE_TOPIC"),
        jobs_topic=read.topic("FANFOLD_JOBS_TOPIC", ""),
        ack_topic=read.topic("FANFOLD_ACK_TOPIC"),
        stats_topic=read.topic("FANFOLD_STATS_TOPIC", ""),
        cloud_topic=read.topic("FANFOLD_CLOUD_TOPIC", ""),
        cloud_jobs_topic=read.topic("FANFOLD_CLOUD_JOBS_TOPIC", ""),
        cloud_batch_s=read.seconds("FANFOLD_CLOUD_BATCH_S", 1.0, 0, 3600),
        max_wait_s=read.seconds("FANFOLD_MAX_WAIT_S", 10, 0.01, 3600),
        max_hold=read.integer("FANFOLD_MAX_HOLD", 10_000, 1, 1_000_000),
        job_linger_s=read.seconds("FANFOLD_JOB_LINGER_S", 2, 0, 3600),
        outbox_bucket=read.text("FANFOLD_OUTBOX_BUCKET", ""),
        outbox_prefix=read.text("FANFOLD_OUTBOX_PREFIX", "").strip("/"),
        outbox_bytes=read.integer("FANFOLD_OUTBOX_BYTES", 2 << 30, 1 << 20, 1 << 44),
        outbox_every_s=read.seconds("FANFOLD_OUTBOX_EVERY_S", 5, 0.1, 86_400),
        thing=read.text("AWS_IOT_THING_NAME", ""),
        **common(read, "aggregator"),
    )
    read.finish()
    return settings
