"""The simulated site of `sim` with two stages: real rings and the transform function's real
decisions, inference functions that take, work, die and freeze in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim import RESTART_S, STEP_S, Hostility, Sim, Worker

from contract import messages as m
from lambdas.tensors.folder import Folder, short_incarnation
from lambdas.tensors.reader import Claim, Reader
from lambdas.tensors.ring import create
from lambdas.transform.engine import Transformer

TENSOR_BYTES = 64
SLOTS = 4
LIMIT_S = 5.0


@dataclass
class Inference:
    """Up at `up_at`; frozen it keeps what it has taken."""

    name: str
    up_at: float
    incarnation: int = 0
    frozen_until: float = 0.0
    restarts: int = 0
    reader: Reader | None = None
    claims: list[Claim] = field(default_factory=list)
    left_s: float = 0.0
    crashed: bool = False


class DecoupledSim(Sim):
    """`workers` are the transform functions; `poison` ends inference functions.

    `ends`: how incarnations of inference functions ended, known when the next one is up.
    """

    def __init__(self, root: Path, seed: int = 0, hostility: Hostility | None = None, **env: str):
        self.folder = Folder(str(root / "shm"))
        self.engines: dict[str, Transformer] = {}
        self.poison_of_transform: set[str] = set()
        self.ends: dict[int, bool] = {}
        super().__init__(root, seed, hostility, FANFOLD_WORKERS="t0,t1", **env)
        self.inference = {name: Inference(name, self.now + 0.5) for name in ("w0", "w1")}

    def kill(self, part: str, down_s: float = 0.3) -> None:
        if part in self.inference:
            self._kill_inference(self.inference[part], down_s + RESTART_S)
        else:
            super().kill(part, down_s)

    def freeze(self, worker: str, seconds: float) -> None:
        if worker in self.inference:
            self.inference[worker].frozen_until = self.now + seconds
        else:
            super().freeze(worker, seconds)

    def _kill_worker(self, worker: Worker, down_s: float) -> None:
        super()._kill_worker(worker, down_s)
        dead = self.engines.pop(worker.name, None)
        if dead is not None:
            dead._ring.close()

    def _kill_inference(self, one: Inference, down_s: float) -> None:
        if one.reader is not None:
            for ring in {id(c._ring): c._ring for c in one.claims}.values():
                ring.close()
            for fifo in (one.reader._fifo, *one.reader._fifos.values()):
                fifo.close()
        one.reader, one.claims, one.frozen_until = None, [], 0.0
        one.incarnation += 1
        one.restarts += 1
        one.crashed = False
        one.up_at = self.now + down_s

    def close(self) -> None:
        super().close()
        rings = [engine._ring for engine in self.engines.values()]
        for one in self.inference.values():
            rings += one.reader._rings.values() if one.reader else ()
        for ring in rings:
            ring.close()

    # The transform functions: the splitter's workers

    def _engine(self, worker: Worker) -> Transformer:
        found = self.engines.get(worker.name)
        if found is None:
            path, incarnation = self.folder.ring(worker.name), f"i{worker.incarnation}"
            ring = create(path, incarnation, "model", SLOTS, TENSOR_BYTES)
            found = self.engines[worker.name] = Transformer(ring, self.now, LIMIT_S)
        return found

    def _take(self, worker: Worker, work: m.Work, payload: bytes) -> None:
        self._engine(worker).take(work)

    def _step(self) -> None:
        super()._step()
        for one in self.inference.values():
            self._infer(one)

    def _work(self, worker: Worker) -> None:
        if self.now < worker.up_at or self.now < worker.frozen_until:
            return
        engine = self._engine(worker)
        served = any(one.reader is not None for one in self.inference.values())
        for tensor, record in engine.step(self.now, served, (), self.ends.get):
            self._done(tensor.batch.id, worker.name, [record])
            engine.settle(tensor, ok=False)
        self._speak(worker, engine.in_hand())
        worker.left_s = min(worker.left_s, 0.0) + STEP_S
        while worker.left_s > 0 and (begun := engine.begin()) is not None:
            tensor, slot = begun
            if tensor.item["id"] in self.poison_of_transform:
                self._kill_worker(worker, RESTART_S)
                worker.crashed = self.core_reports_ends
                return
            worker.left_s -= self.service_s
            engine._ring.tensor(slot)[:] = tensor.item["seq"]
            engine.offer(tensor, slot, int(self.now * 1e9))

    # The inference functions

    def _infer(self, one: Inference) -> None:
        if self.now < one.up_at or self.now < one.frozen_until:
            return
        if one.reader is None:
            self.ends[short_incarnation(f"{one.name}{one.incarnation - 1}")] = one.crashed
            one.reader = Reader(self.folder, ("t0", "t1"), f"{one.name}{one.incarnation}", "model")
        one.reader.refresh()
        one.left_s = min(one.left_s, 0.0) + STEP_S
        while one.left_s > 0:
            if not one.claims:
                one.claims = one.reader.take(1)
                if not one.claims:
                    return
                one.left_s -= self.service_s
                continue  # work on it from now; a kill or a freeze meets it in hand
            claim = one.claims[0]
            if claim.item["id"] in self.poison:
                self._kill_inference(one, RESTART_S)
                one.crashed = self.core_reports_ends
                return
            self._answer_one(one, claim)
            one.claims = []

    def _answer_one(self, one: Inference, claim: Claim) -> None:
        item = claim.item
        assert set(claim.tensor.tolist()) == {float(item["seq"])}, "a torn or foreign tensor"
        output: dict[str, Any] = {"top": [{"label": f"label of {item['id']}", "index": 1}]}
        record = m.result_ok(item, "classification", output, {"inference": 1})
        claim.sending()
        self._done(claim.batch, one.name, [record])
        claim.finish()

    def _done(self, batch: str, worker: str, records: list[dict[str, Any]]) -> None:
        for payload in m.done_messages(batch, worker, "i", None, records):
            self.send("demo/done", payload)
