"""`Environment.Variables` of every function, after docs/spec/environment.md."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from contract.accelerators.choosing import UUID_VARIABLE, UUIDS_VARIABLE
from contract.model_pin import PIN, pinned_digest
from contract.regions import VARIABLE as REGIONS
from contract.regions import variable as regions_variable
from contract.topics import Topics
from infra.planning.model import CPU, Role
from infra.planning.naming import topics_of
from infra.planning.placement import Placement
from infra.planning.profile import Accelerator, Profile
from infra.planning.resources import MODEL_DIR, MPS_PIPES, SHM_DIR
from infra.planning.site import Site
from infra.planning.sizing import tensor_slots
from infra.planning.storage import outbox_bucket
from infra.planning.threads import ALLOCATOR, CV_THREADS

Variables = dict[str, str]


@dataclass(frozen=True, slots=True)
class Environment:
    """Builds the variables of each role of one site."""

    site: Site
    profile: Profile
    placement: Placement

    @property
    def topics(self) -> Topics:
        return topics_of(self.site)

    @property
    def cameras(self) -> str:
        return ",".join(camera.name for camera in self.site.cameras)

    def common(self, role: Role) -> Variables:
        return {
            "FANFOLD_SITE": self.site.name,
            "FANFOLD_ROLE": role,
            "FANFOLD_IMAGES_DIR": self.site.volumes.images,
            "FANFOLD_STATE_DIR": self.site.volumes.state,
            "FANFOLD_LOG_LEVEL": self.site.logging.level,
            "FANFOLD_START_TIMEOUT_S": str(self.site.timeouts.start_s),
        }

    def _health(self) -> Variables:
        """Only the two parts that know how the whole site is doing report it."""
        cloud = self.site.cloud
        if not (cloud.mqtt and cloud.monitor):
            return {"FANFOLD_HEALTH_TOPIC": ""}
        return {
            "FANFOLD_HEALTH_TOPIC": self.topics.cloud_health,
            "FANFOLD_HEALTH_EVERY_S": str(cloud.monitor.every_s),
        }

    def splitter(self, fed: list[str], window: int) -> Variables:
        site, topics = self.site, self.topics
        on_demand = {"FANFOLD_ON_DEMAND": "1"} if site.strategy == "on_demand" else {}
        return {
            **self.common("splitter"),
            **self._health(),
            **on_demand,
            "FANFOLD_IMAGES_TOPIC": topics.images_prefix,
            "FANFOLD_CAMERAS": self.cameras,
            "FANFOLD_WORKERS": ",".join(fed),
            "FANFOLD_WORK_TOPIC": topics.work_prefix,
            "FANFOLD_DONE_TOPIC": topics.done,
            "FANFOLD_STATS_TOPIC": topics.stats,
            "FANFOLD_WINDOW": str(window),
            "FANFOLD_BATCH": str(site.batch),
            "FANFOLD_WORKER_TIMEOUT_S": str(site.timeouts.worker_s),
            "FANFOLD_MAX_BACKLOG": str(site.backlog.max_images),
            "FANFOLD_BACKLOG_POLICY": site.backlog.policy,
            "FANFOLD_JOURNAL_BYTES": str(site.backlog.journal_bytes),
            "FANFOLD_DROP_FOLDER": site.drop_folder,
            **self._custody(),
            **self._pictures(),
        }

    def _custody(self) -> Variables:
        """Only what the site chose itself: the splitter has the same defaults."""
        site, default = self.site, Site.model_fields
        variables: Variables = {}
        if site.custody.mode != "link":
            variables["FANFOLD_CUSTODY"] = site.custody.mode
        if site.custody.max_bytes:
            variables["FANFOLD_CUSTODY_BYTES"] = str(site.custody.max_bytes)
        if site.drop_subfolders != default["drop_subfolders"].default:
            variables["FANFOLD_DROP_SUBFOLDERS"] = ",".join(site.drop_subfolders)
        if site.drop_wait_s != default["drop_wait_s"].default:
            variables["FANFOLD_DROP_WAIT_S"] = f"{site.drop_wait_s:g}"
        return variables

    def _pictures(self) -> Variables:
        sensors = {c.name: c.sensor for c in self.site.cameras if c.sensor is not None}
        text = self.site.pictures.variable(sensors)
        return {"FANFOLD_PICTURES": text} if text else {}

    def _regions(self) -> Variables:
        text = regions_variable({camera.name: camera.regions for camera in self.site.cameras})
        return {REGIONS: text} if text else {}

    def aggregator(self) -> Variables:
        site, topics, outbox = self.site, self.topics, self.site.cloud.outbox
        to_cloud = site.cloud.mqtt
        variables = {
            **self.common("aggregator"),
            **self._health(),
            "FANFOLD_CAMERAS": self.cameras,
            "FANFOLD_RESULTS_TOPIC": topics.results_prefix,
            "FANFOLD_LATE_TOPIC": topics.late_prefix,
            "FANFOLD_JOBS_TOPIC": topics.jobs,
            "FANFOLD_ACK_TOPIC": topics.ack,
            "FANFOLD_STATS_TOPIC": topics.stats,
            "FANFOLD_CLOUD_TOPIC": topics.cloud_results if to_cloud else "",
            "FANFOLD_CLOUD_JOBS_TOPIC": topics.cloud_jobs if to_cloud and site.job.to_cloud else "",
            "FANFOLD_CLOUD_BATCH_S": f"{site.cloud.batch_s:g}",
            "FANFOLD_MAX_WAIT_S": f"{site.max_wait_s:g}",
            "FANFOLD_MAX_HOLD": str(site.max_hold),
            "FANFOLD_JOB_LINGER_S": f"{site.job.linger_s:g}",
            "FANFOLD_OUTBOX_BUCKET": outbox_bucket(site),
            "FANFOLD_OUTBOX_PREFIX": outbox.prefix if outbox else "",
        }
        if outbox:
            variables["FANFOLD_OUTBOX_BYTES"] = str(outbox.max_bytes)
            variables["FANFOLD_OUTBOX_EVERY_S"] = f"{outbox.every_s:g}"
        return {**variables, **self._for_the_core()}

    def grabber(self) -> Variables:
        """Addresses with the names of their secrets, which lie on the device."""
        sources = [
            {"name": c.name, "source": c.source, "fps": c.fps, "frozen_s": c.frozen_s}
            for c in self.site.sourced
        ]
        return {
            **self.common("grabber"),
            "FANFOLD_IMAGES_TOPIC": self.topics.images_prefix,
            "FANFOLD_STATS_TOPIC": self.topics.stats,
            "FANFOLD_SOURCES": json.dumps(sources, separators=(",", ":")),
        }

    def _for_the_core(self) -> Variables:
        """Settings of the site that the core itself follows: they come and go with the group."""
        given = {
            "FANFOLD_HISTORY": self.site.history.variable(),
            "FANFOLD_ALERTS": self.site.alerts.variable(),
            "FANFOLD_TRIAL": self.site.trial.variable(),
            "FANFOLD_CANARY": self.site.canary.variable() if self.site.canary else "",
        }
        return {name: text for name, text in given.items() if text}

    def inference(self, worker: str, on: Accelerator | None) -> Variables:
        """`on` None: the CPU."""
        named = {UUID_VARIABLE: on.uuid} if on is not None and on.uuid else {}
        return {
            **self._model("inference", worker),
            "GPU_ID": str(CPU) if on is None else on.id,
            **named,
            **self._mps(on),
        }

    def on_demand(self, worker: str, on: Accelerator | None) -> Variables:
        """Containers come and go under one name, so none sends heartbeats or holds credits."""
        return {**self.inference(worker, on), "FANFOLD_ON_DEMAND": "1"}

    def pool(self, worker: str) -> Variables:
        gpus = self.placement.accelerators
        named = all(each.uuid for each in gpus)
        processes = self.site.workers
        if self.profile.accelerators and processes == "auto":
            processes = len(self.placement.places)
        return {
            **self._model("pool", worker),
            "FANFOLD_POOL_WORKERS": str(processes),
            "FANFOLD_GPU_IDS": ",".join(each.id for each in gpus),
            **({UUIDS_VARIABLE: ",".join(each.uuid for each in gpus)} if gpus and named else {}),
            **self._mps(gpus[0] if gpus else None),
        }

    def transform(self, worker: str, inference: list[str]) -> Variables:
        return {
            **self._model("transform", worker),
            "FANFOLD_INFERENCE_WORKERS": ",".join(inference),
            "FANFOLD_TENSOR_TOPIC": self.topics.tensor_prefix,
            "FANFOLD_TENSOR_SLOTS": str(
                tensor_slots(len(self.placement.places), self.placement.transforms)
            ),
            **self._shm(),
        }

    def tensor_inference(
        self, worker: str, on: Accelerator | None, transforms: list[str]
    ) -> Variables:
        return {
            **self.inference(worker, on),
            "FANFOLD_TRANSFORM_WORKERS": ",".join(transforms),
            **self._shm(),
        }

    def _shm(self) -> Variables:
        # Two cores of one machine may run sites of one name; their state is never the same.
        own = hashlib.sha256(self.site.volumes.state.encode()).hexdigest()[:8]
        return {"FANFOLD_SHM_DIR": f"{SHM_DIR}/fanfold-{self.site.name}-{own}"}

    def _model(self, role: Role, worker: str) -> Variables:
        """What every function that touches the model or its input needs."""
        hooks = {"FANFOLD_HOOKS": self.site.hooks} if self.site.hooks else {}
        return {
            **self.profile.environment,
            **self.common(role),
            **self._pictures(),
            **self._regions(),
            "FANFOLD_WORKER": worker,
            "FANFOLD_MODEL_DIR": MODEL_DIR,
            **_pinned(self.site.model.s3_uri),
            "FANFOLD_DONE_TOPIC": self.topics.done,
            "FANFOLD_HEARTBEAT_TOPIC": self.topics.heartbeat,
            "FANFOLD_WORKER_TIMEOUT_S": str(self.site.timeouts.worker_s),
            "OMP_NUM_THREADS": str(1 if role == "transform" else self.placement.threads),
            "FANFOLD_CV_THREADS": str(CV_THREADS),
            "FANFOLD_TRANSFORM": self.site.transform,
            **ALLOCATOR,
            **hooks,
        }

    def _mps(self, on: Accelerator | None) -> Variables:
        """NVIDIA MPS: copies on one GPU share it by kernel instead of by time slice."""
        if not self.site.mps or on is None:
            return {}
        sharing = self.placement.places.count(on)
        return {
            "CUDA_MPS_PIPE_DIRECTORY": MPS_PIPES,
            "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(100 // sharing),
        }


def _pinned(uri: str | None) -> Variables:
    """The archive's SHA-256 where the model's address has it: the core checks it (`core.md`)."""
    digest = pinned_digest(uri or "")
    return {PIN: digest} if digest else {}
