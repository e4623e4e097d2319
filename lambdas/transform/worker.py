"""One transform function: ring, pipeline, heartbeat and watchdog, put together."""

from __future__ import annotations

import os
import time
from typing import Any, Mapping

import cv2

from contract.messages import probe_message
from lambdas.common.bus import Bus
from lambdas.common.log import get_logger
from lambdas.common.settings import TransformSettings
from lambdas.imaging.transform import Transform, chosen
from lambdas.model.hooks import load_hooks
from lambdas.model.package import Package, load_package
from lambdas.tensors.folder import TENSORS_FIFO, Folder, remove
from lambdas.tensors.ring import Ring, RingError, create
from lambdas.transform.pipeline import Leases, TransformPipeline
from lambdas.worker.heartbeat import HeartbeatSender, Watchdog, new_incarnation
from lambdas.worker.prepare import Prepare
from lambdas.worker.send import Identity, Sender
from lambdas.worker.worker import hand_over

FLOAT_BYTES = 4
FEWEST_SLOTS = 2

_log = get_logger("transform")


class TransformWorker:
    """Makes everything at construction; raises `ModelError` or `RingError`."""

    def __init__(
        self, settings: TransformSettings, bus: Bus, env: Mapping[str, str] = os.environ
    ) -> None:
        choices = chosen(env)
        cv2.setNumThreads(settings.cv_threads)
        package = load_package(settings.model_dir)
        hooks = load_hooks(env.get("FANFOLD_HOOKS", ""))
        transform = Transform(
            package.spec.input, choices.mode, hooks.transform, choices.rules, choices.regions
        )
        # The measurement without a model reads files and wants no pixels (`Runtime.decodes`).
        pixels = package.spec.runtime != "noop"
        self._incarnation = new_incarnation()
        identity = Identity(
            settings.worker, self._incarnation, package.spec.identity, settings.earlier_end
        )
        folder = Folder(settings.shm_dir)
        self._ring_path = folder.ring(settings.worker)
        self._ring = _ring(folder, settings, identity, package)
        sender = Sender(bus, settings.done_topic, identity)

        def probe(worker: str) -> None:
            bus.publish(settings.tensor_topic + worker, probe_message(f"p-{settings.worker}"))

        paths = {name: folder.lease(name) for name in settings.inference_workers}
        leases = Leases(paths, settings.worker_timeout_s, probe, time.monotonic())
        fifos = folder.fifo(settings.worker), folder.fifo(TENSORS_FIFO)
        prepare = Prepare(settings.images_dir, transform, pixels)
        self.pipeline = TransformPipeline(self._ring, prepare, sender, leases, fifos).start()
        self._watchdog = Watchdog(self.pipeline, settings.worker_timeout_s).start()
        # Before an inference function is alive, images would wait here and nowhere better.
        served = self.pipeline.served
        self._heartbeats = HeartbeatSender(
            bus, settings.heartbeat_topic, identity, self.pipeline, served
        ).start()
        _log.info(
            "%s waits for an inference function: %d slots of %s, transform %s, incarnation %s",
            settings.worker, self._ring.slots, "×".join(map(str, transform.shape)), choices.mode,
            identity.incarnation,
        )  # fmt: skip

    def handle(self, event: Any) -> None:
        """One message of the work topic; see `Worker.handle`."""
        hand_over(event, self.pipeline, self._incarnation)

    def stop(self) -> None:
        self._heartbeats.stop()
        self._watchdog.stop()
        self.pipeline.stop()
        remove(self._ring_path)


def _ring(
    folder: Folder, settings: TransformSettings, identity: Identity, package: Package
) -> Ring:
    """As many slots as were asked for, or as there is memory for. Raises `RingError`."""
    folder.sweep_halves(settings.worker)
    batch, *shape = package.spec.input.shape
    size = FLOAT_BYTES * shape[0] * shape[1] * shape[2]
    wanted = slots = settings.slots * batch
    while True:
        try:
            ring = create(
                folder.ring(settings.worker), identity.incarnation, package.spec.sha256, slots, size
            )
        except RingError as error:
            slots //= 2
            if slots < FEWEST_SLOTS:
                raise RingError(
                    f"{error}: enlarge it (mount -o remount,size=…), use fewer transforms, or "
                    "strategy: pinned"
                ) from None
        else:
            if slots < wanted:
                _log.warning("memory for %d of %d slots in %s", slots, wanted, folder.path)
            return ring
