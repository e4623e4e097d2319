"""kill -9 of either stage of `decoupled` at every named point: the promise of test_kill_points."""

from __future__ import annotations

import json
import queue
import time

import numpy as np
import pytest
from inference_kit import jpeg, simulated
from part_site import DEADLINE_S, Part
from site_environment import environment

from lambdas.common.fault_points import TENSOR_POINTS

EVENTS, IMAGES = 8, 9
TOTAL = EVENTS * IMAGES


class Plant:
    """Splitter, aggregator, two transform and two inference functions, each a process."""

    def __init__(self, root, faults):
        env = environment(
            root,
            FANFOLD_WORKERS="t0,t1", FANFOLD_CAMERAS="cam1", FANFOLD_CLOUD_BATCH_S="0.05",
            FANFOLD_INFERENCE_WORKERS="w0,w1", FANFOLD_TRANSFORM_WORKERS="t0,t1",
            FANFOLD_SHM_DIR=str(root / "shm"), FANFOLD_TENSOR_TOPIC="demo/tensor/",
            FANFOLD_HEARTBEAT_TOPIC="demo/heartbeat", FANFOLD_MAX_WAIT_S="30",
            FANFOLD_OUTBOX_BUCKET="bucket",
            FANFOLD_MODEL_DIR=str(simulated(root / "model", wait_ms=2)),
        )  # fmt: skip
        self.out: queue.Queue = queue.Queue()
        roles = {"splitter": "splitter", "aggregator": "aggregator"}
        roles.update(dict.fromkeys(("t0", "t1"), "transform"))
        roles.update(dict.fromkeys(("w0", "w1"), "inference"))
        self.parts = {
            name: Part(role, {**env, "FANFOLD_WORKER": name}, faults.get(name, ""), self.out)
            for name, role in roles.items()
        }
        self.images = root / "images"
        for event in range(EVENTS):
            (self.images / f"e{event}").mkdir(parents=True)
            for n in range(IMAGES):
                picture = np.full((40, 40, 3), event * 20 + n, np.uint8)
                (self.images / f"e{event}" / f"{n}.jpg").write_bytes(jpeg(picture))
        self.accepted: dict = {}
        self.cloud: list = []
        self.heard: set = set()

    def route(self, topic, payload):
        name = topic.rsplit("/", 1)[1]
        if topic.startswith(("demo/work/", "demo/tensor/")):
            self.parts[name].give(topic, payload)
        elif name == "done":
            self.parts["aggregator"].give(topic, payload)
        elif name in ("ack", "heartbeat"):
            self.heard.add(json.loads(payload).get("worker"))
            self.parts["splitter"].give(topic, payload)
        elif name == "accepted":
            self.accepted[json.loads(payload)["id"]] = payload
        elif topic == "fanfold/demo/results":
            self.cloud += json.loads(payload)["results"]

    def run(self, until, at_half=lambda: None):
        deadline = time.monotonic() + DEADLINE_S
        send_at = dict.fromkeys((f"e{n}" for n in range(EVENTS)), 0.0)
        while not (len({r["seq"] for r in self.cloud}) >= TOTAL and until()):
            now = time.monotonic()
            assert now < deadline, f"{len(self.cloud)} in the cloud, deaths {self.deaths()}"
            # Else who starts first would do all the work, and nobody would pass the point.
            everybody = self.heard >= {"t0", "t1", "w0", "w1"}
            for event in send_at if everybody else ():
                if event not in self.accepted and now >= send_at[event]:
                    send_at[event] = now + 1.0
                    files = [f"{event}/{n}.jpg" for n in range(IMAGES)]
                    body = json.dumps({"v": 1, "id": event, "files": files})
                    self.parts["splitter"].give("demo/images/cam1", body)
            for part in self.parts.values():
                part.revive()
            try:
                message = self.out.get(timeout=0.02)
            except queue.Empty:
                continue
            self.route(message["topic"], message["payload"])
            if len(self.cloud) >= TOTAL // 2:
                at_half()
                at_half = _nothing

    def deaths(self):
        return {name: part.deaths for name, part in self.parts.items() if part.deaths}

    def stop(self):
        for part in self.parts.values():
            part.stop()


def _nothing():
    pass


def assert_whole(plant):
    seen = list(dict.fromkeys(r["seq"] for r in plant.cloud))
    assert seen == list(range(1, TOTAL + 1))
    assert {r["status"] for r in plant.cloud} == {"ok"}


@pytest.fixture
def plant_of(tmp_path):
    plants = []

    def make(**faults):
        plants.append(Plant(tmp_path, faults))
        return plants[-1]

    yield make
    for plant in plants:
        plant.stop()


@pytest.mark.parametrize("point", sorted(TENSOR_POINTS))
def test_a_kill_at_this_point_loses_and_repeats_nothing(plant_of, point):
    victim = "t0" if point.startswith("transform") else "w0"
    plant = plant_of(**{victim: f"{point}:3"})

    plant.run(plant.deaths)

    assert plant.deaths() == {victim: [-9]}
    assert_whole(plant)


#: A whole stage, and one with half of the other; the rest of the pairs is in the long form.
OF_THE_LONG_FORM = [
    pytest.param(each, marks=pytest.mark.soak) for each in (("t0", "w0"), ("w0", "w1"))
]


@pytest.mark.parametrize("victims", [("t0", "t1"), ("t1", "w0", "w1"), *OF_THE_LONG_FORM])
def test_several_killed_at_once_lose_and_repeat_nothing(plant_of, victims):
    plant = plant_of()

    def kill():
        for name in victims:
            plant.parts[name].process.kill()

    plant.run(lambda: len(plant.deaths()) == len(victims), kill)

    assert plant.deaths() == {key: [-9] for key in victims}
    assert_whole(plant)
