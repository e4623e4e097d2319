"""One inference worker: model, pipeline, heartbeat and watchdog, put together."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import Any, Mapping, Protocol

import cv2

from contract.allocator import give_back
from contract.messages import Record, Work
from lambdas.common.addressed import work_for
from lambdas.common.bus import Bus
from lambdas.common.log import get_logger
from lambdas.common.poison import FAULTS
from lambdas.common.settings import InferenceSettings
from lambdas.imaging.transform import Choices, Transform, chosen
from lambdas.model.errors import ModelError
from lambdas.model.hooks import load_hooks
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.tensors.folder import Folder, LeaseFile
from lambdas.tensors.reader import Reader
from lambdas.tensors.ring import RingError
from lambdas.worker.accelerator import claim, confirmed
from lambdas.worker.heartbeat import HeartbeatSender, Watchdog, new_incarnation
from lambdas.worker.hold import LET_GO_S
from lambdas.worker.pipeline import Pipeline
from lambdas.worker.send import Identity, Sender
from lambdas.worker.tensor_pipeline import TensorPipeline
from lambdas.worker.warm_up import Model, verify

_log = get_logger("worker")


class Taker(Protocol):
    """A pipeline, as the handler sees it."""

    def submit(self, work: Work) -> None: ...

    def drain(self) -> None: ...


def hand_over(event: Any, pipeline: Taker, incarnation: str, *, wait: bool = False) -> None:
    """One work message into a pipeline; `wait`: return when its batch is finished."""
    work = work_for(event, incarnation)
    if work is None:
        return
    if work.probe is None:
        pipeline.submit(work)
    if work.probe is not None or wait:
        pipeline.drain()


class Worker:
    """Loads everything at construction; raises `ModelError` where that cannot be done."""

    def __init__(
        self, settings: InferenceSettings, bus: Bus, env: Mapping[str, str] = os.environ
    ) -> None:
        choices = chosen(env)
        mode = choices.mode
        # Copies share this function's name: nobody could tell one's heartbeats from another's.
        self._on_demand = env.get("FANFOLD_ON_DEMAND") == "1"
        cv2.setNumThreads(settings.cv_threads)
        package = load_package(settings.model_dir)
        claimed = claim(settings.gpu_id, package)
        hooks = load_hooks(env.get("FANFOLD_HOOKS", ""))
        runtime = load_runtime(package, claimed.gpu_id.index, claimed.ordinal)
        # Also because the first runs allocate and choose kernels: no image should pay for that.
        model = verify(package, runtime, hooks, mode)
        accelerators = confirmed(claimed, runtime)
        give_back()
        self._incarnation = new_incarnation()
        identity = Identity(
            settings.worker,
            self._incarnation,
            package.spec.identity,
            settings.earlier_end,
            accelerators,
        )
        sender = Sender(bus, settings.done_topic, identity)
        self.pipeline: Pipeline | TensorPipeline
        if settings.transforms:
            self.pipeline = self._from_rings(settings, model, sender, choices)
        else:
            # Without heartbeats of its own nobody would see that it gave an image back.
            unseen = self._on_demand or "FANFOLD_POOL_WORKERS" in env
            self.pipeline = Pipeline(
                model,
                sender,
                settings.images_dir,
                Transform(
                    package.spec.input, mode, hooks.transform, choices.rules, choices.regions
                ),
                math.inf if unseen else LET_GO_S,
            )
        self.pipeline.start()
        self._watchdog = Watchdog(self.pipeline, settings.worker_timeout_s).start()
        self._heartbeats = None
        if not self._on_demand:
            self._heartbeats = HeartbeatSender(
                bus, settings.heartbeat_topic, identity, self.pipeline
            ).start()
        _log.info(
            "%s is ready: %s %s (%s) on %s, transform %s, incarnation %s",
            settings.worker, package.spec.name, package.spec.version, package.spec.runtime,
            _where(runtime.device, accelerators), mode, identity.incarnation,
        )  # fmt: skip

    def _from_rings(
        self, settings: InferenceSettings, model: Model, sender: Sender, choices: Choices
    ) -> TensorPipeline:
        """Tensors come from transform functions. Raises `ModelError`."""
        worker, incarnation, identity = sender.identity.author
        try:
            folder = Folder(settings.shm_dir)
            reader = Reader(folder, settings.transforms, incarnation, identity["sha256"])
        except RingError as error:
            raise ModelError(str(error)) from None
        path = folder.lease(worker)
        crashed = sender.identity.earlier_end in FAULTS
        lease = partial(LeaseFile, path, incarnation, after_crash=crashed)
        return TensorPipeline(model, sender, reader, lease, choices.regions)

    def handle(self, event: Any) -> None:
        """One message of the work topic.

        A batch: returns when it is in the pipeline and the one before it is finished; so
        one invocation is open while there is work, and the core's timeout sees a hang.
        A probe: returns when the pipeline is empty.
        """
        hand_over(event, self.pipeline, self._incarnation, wait=self._on_demand)

    def stop(self) -> None:
        if self._heartbeats is not None:
            self._heartbeats.stop()
        self._watchdog.stop()
        self.pipeline.stop()


def _where(device: str, accelerators: list[Record]) -> str:
    return " ".join([device, *(str(each.get("uuid", "")) for each in accelerators)])
