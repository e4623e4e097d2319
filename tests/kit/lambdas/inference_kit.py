"""Real packages, photographs and a worker's environment for the inference tests."""

import atexit
import functools
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

import cv2
from checkout import PROJECT

from lambdas.common.bus import RecordingBus
from lambdas.common.settings import inference_settings
from lambdas.worker.worker import Worker
from models.build_demo import manifest, write_files, write_manifest
from models.demo_images import picture
from models.photos import PHOTOS

CACHE = PROJECT / "build" / "wheels"
DEADLINE_S = 30


@functools.lru_cache(maxsize=None)
def lite0(version="1.0.0"):
    """Folder of the unpacked demo package, built once per test run."""
    folder = Path(tempfile.mkdtemp(prefix="fanfold-lite0-"))
    atexit.register(shutil.rmtree, str(folder), ignore_errors=True)
    write_files(folder, CACHE)
    write_manifest(folder, manifest(version))
    return folder


@functools.lru_cache(maxsize=None)
def photo(name):
    """H×W×3 uint8 BGR of one of the demo's photographs."""
    return picture(next(p for p in PHOTOS if p.name == name), CACHE)


def jpeg(image, *options):
    return cv2.imencode(".jpg", image, list(options))[1].tobytes()


def simulated(folder, runtime="simulated", batch=1, **simulation):
    """A package without a network; `simulation` as model.json's `simulated`."""
    folder.mkdir(parents=True, exist_ok=True)
    model = {
        "v": 1,
        "name": "sim",
        "version": "1.0.0",
        "runtime": runtime,
        "task": "classification",
        "input": {"shape": [batch, 3, 32, 32]},
        "simulated": simulation,
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder


class Bus(RecordingBus):
    """Records, and lets a test wait for what it expects."""

    def __init__(self):
        super().__init__()
        self.changed = threading.Condition()

    def publish(self, topic, payload):
        with self.changed:
            taken = super().publish(topic, payload)
            self.changed.notify_all()
        return taken

    def messages(self, topic):
        return [json.loads(payload) for t, payload in list(self.sent) if t == topic]

    def results(self):
        return [result for message in self.messages("s/done") for result in message["results"]]

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, DEADLINE_S), "not seen by the deadline"


def environment(tmp_path, model, **more):
    (tmp_path / "images").mkdir(exist_ok=True)
    return {
        "FANFOLD_SITE": "s",
        "FANFOLD_ROLE": "inference",
        "FANFOLD_IMAGES_DIR": str(tmp_path / "images"),
        "FANFOLD_STATE_DIR": str(tmp_path / "state"),
        "FANFOLD_WORKER": "w0",
        "FANFOLD_MODEL_DIR": str(model),
        "FANFOLD_DONE_TOPIC": "s/done",
        "FANFOLD_HEARTBEAT_TOPIC": "s/heartbeat",
        **more,
    }


def start(tmp_path, model, bus, **more):
    env = environment(tmp_path, model, **more)
    return Worker(inference_settings(env), bus, env)


def work(batch, *files, attempt=1):
    items = [
        {"stream": "cam1", "seq": n, "id": f"i-{n}", "file": os.fspath(file)}
        for n, file in enumerate(files, 1)
    ]
    return {"v": 1, "batch": batch, "attempt": attempt, "items": items}


PROBE = {"v": 1, "probe": "p-1"}
