"""The functions of a plan, by strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.planning import sizing
from infra.planning.environment import Environment
from infra.planning.fields import Footprint
from infra.planning.model import Function, Isolation, Role, SystemFunction
from infra.planning.naming import Names
from infra.planning.placement import Placement
from infra.planning.profile import Accelerator, Profile
from infra.planning.resources import Resources
from infra.planning.site import Site

HANDLERS: dict[Role, str] = {
    "splitter": "lambdas.splitter.handler.handler",
    "transform": "lambdas.transform.handler.handler",
    "inference": "lambdas.inference.handler.handler",
    "pool": "lambdas.pool.handler.handler",
    "aggregator": "lambdas.aggregator.handler.handler",
    "grabber": "lambdas.grabber.handler.handler",
}


@dataclass(frozen=True, slots=True)
class Functions:
    """Builds every function of one site."""

    site: Site
    profile: Profile
    footprint: Footprint | None
    placement: Placement
    isolation: Isolation

    @property
    def environment(self) -> Environment:
        return Environment(self.site, self.profile, self.placement)

    def all(self) -> tuple[Function, ...]:
        """The splitter, what it feeds, what that feeds, the aggregator; the grabber, if there is
        a camera to fetch pictures from."""
        build = {
            "pinned": self._pinned,
            "decoupled": self._decoupled,
            "pool": self._pool,
            "on_demand": self._on_demand,
        }[self.site.strategy]
        workers = build()
        fed = [f for f in workers if f.role == "transform"] or workers
        window = self._window(fed)
        splitter = self._function(
            "splitter",
            "splitter",
            encoding="binary",
            environment=self.environment.splitter([worker.id for worker in fed], window),
        )
        aggregator = self._function(
            "aggregator", "aggregator", environment=self.environment.aggregator()
        )
        return (splitter, *workers, aggregator, *self._grabber())

    def _grabber(self) -> list[Function]:
        """One for all cameras: its container is one of twenty."""
        if not self.site.sourced:
            return []
        return [self._function("grabber", "grabber", environment=self.environment.grabber())]

    def _window(self, fed: list[Function]) -> int:
        """Batches in flight per name. One name may stand for several copies of the model."""
        copies = max(worker.processes for worker in fed)
        # Every batch in flight starts a container on demand, so none may wait behind another.
        return copies if self.site.strategy == "on_demand" else copies * self.site.window

    def _pinned(self) -> list[Function]:
        return [
            self._worker(f"w{slot}", gpu, self.environment.inference(f"w{slot}", gpu))
            for slot, gpu in enumerate(self.placement.places)
        ]

    def _decoupled(self) -> list[Function]:
        transforms = [f"t{slot}" for slot in range(self.placement.transforms)]
        workers = [f"w{slot}" for slot in range(len(self.placement.places))]
        make = self.environment
        return [
            *(
                self._function(each, "transform", environment=make.transform(each, workers))
                for each in transforms
            ),
            *(
                self._worker(each, gpu, make.tensor_inference(each, gpu, transforms))
                for each, gpu in zip(workers, self.placement.places, strict=True)
            ),
        ]

    def _pool(self) -> list[Function]:
        gpus = tuple(each.id for each in self.placement.accelerators)
        return [
            self._function(
                "pool",
                "pool",
                environment=self.environment.pool("pool"),
                gpus=gpus,
                processes=len(self.placement.places),
            )
        ]

    def _on_demand(self) -> list[Function]:
        gpu = self.placement.places[0]
        return [
            self._function(
                "inference",
                "inference",
                environment=self.environment.on_demand("inference", gpu),
                gpus=() if gpu is None else (gpu.id,),
                processes=len(self.placement.places),
                pinned=False,
            )
        ]

    def _worker(
        self, worker: str, gpu: Accelerator | None, environment: dict[str, str]
    ) -> Function:
        gpus = () if gpu is None else (gpu.id,)
        return self._function(worker, "inference", environment=environment, gpus=gpus)

    def _function(self, function_id: str, role: Role, **given: Any) -> Function:
        names = Names(self.site)
        gpus = given.get("gpus", ())
        runs_model = role in {"inference", "pool"}
        timeouts = self.site.timeouts
        own_timeout = role in {"splitter", "aggregator", "grabber"}
        return Function(
            id=function_id,
            role=role,
            name=names.function(function_id),
            arn=names.function_arn(function_id),
            handler=HANDLERS[role],
            pinned=given.pop("pinned", True),
            encoding=given.pop("encoding", "json"),
            timeout_s=timeouts.handler_s if own_timeout else timeouts.worker_s,
            memory_kb=self._memory_kb(role, given.get("processes", 1)),
            policies=Resources(self.site, self.profile, self.isolation).policies(role, gpus),
            sysfs=runs_model and bool(gpus),
            threads=self.placement.threads if runs_model else 1,
            shared_kb=self._rings_kb if role == "inference" else 0,
            **given,
        )

    @property
    def _ring_kb(self) -> int:
        """Of one transform function."""
        copies, transforms = len(self.placement.places), self.placement.transforms
        return sizing.ring_kb(self.footprint, copies, transforms) if transforms else 0

    @property
    def _rings_kb(self) -> int:
        """Every inference function maps all rings, and pages that it has seen are its memory."""
        return self._ring_kb * self.placement.transforms

    def _memory_kb(self, role: Role, processes: int) -> int:
        worker = sizing.worker_memory_kb(self.footprint)
        by_role: dict[Role, int] = {
            "splitter": sizing.SPLITTER_KB,
            "transform": sizing.TRANSFORM_KB + self._ring_kb,
            "inference": worker + self._rings_kb,
            "pool": worker * processes,
            "grabber": sizing.GRABBER_KB + len(self.site.sourced) * sizing.CAMERA_KB,
            "aggregator": sizing.aggregator_memory_kb(
                len(self.site.cameras), self.site.cloud.outbox is not None
            ),
        }
        return by_role[role]


def system_functions(site: Site) -> tuple[SystemFunction, ...]:
    """The IP detector, and the spooler on disk: in memory it forgets at every deployment."""
    return (
        SystemFunction(
            id="ip-detector",
            arn="arn:aws:lambda:::function:GGIPDetector:1",
            executable=None,
            memory_kb=sizing.SYSTEM_KB,
            timeout_s=3,
        ),
        SystemFunction(
            id="cloud-spooler",
            arn="arn:aws:lambda:::function:GGCloudSpooler:1",
            executable="spooler",
            memory_kb=sizing.SYSTEM_KB,
            timeout_s=3,
            environment={
                "GG_CONFIG_STORAGE_TYPE": "FileSystem",
                "GG_CONFIG_MAX_SIZE_BYTES": str(site.spooler.max_size_bytes),
                "GG_CONFIG_SUBSCRIPTION_QUALITY": "AtLeastOncePersistent",
            },
        ),
    )
