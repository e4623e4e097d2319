"""A real transform function and real inference functions, in one process, over a real ring."""

import json
import os
import sys
import threading
import types

import cv2
import numpy as np
import pytest
from inference_kit import PROBE, Bus, environment, jpeg, simulated, work

from lambdas.common.settings import inference_settings, transform_settings
from lambdas.common.variables import SettingsError
from lambdas.tensors.ring import RingError
from lambdas.transform.worker import TransformWorker
from lambdas.worker.worker import Worker

COLOURS = 12


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images" / "cam1"
    folder.mkdir(parents=True)
    for n in range(COLOURS):
        (folder / f"{n}.jpg").write_bytes(jpeg(np.full((40, 40, 3), n * 20, np.uint8)))
    (folder / "LICENSE.txt").write_text("no image")
    return [f"cam1/{n}.jpg" for n in range(COLOURS)]


@pytest.fixture
def begin(tmp_path, bus):
    started = []

    def begin(kind, name, model, **more):
        shared = {
            "FANFOLD_WORKER": name, "FANFOLD_SHM_DIR": str(tmp_path / "shm"),
            "FANFOLD_TRANSFORM_WORKERS": "t0", "FANFOLD_INFERENCE_WORKERS": "w0,w1",
            "FANFOLD_TENSOR_TOPIC": "s/tensor/", "FANFOLD_ROLE": kind,
        }  # fmt: skip
        env = environment(tmp_path, model, **{**shared, **more})
        if kind == "transform":
            started.append(TransformWorker(transform_settings(env), bus, env))
        else:
            started.append(Worker(inference_settings(env), bus, env))
        return started[-1]

    yield begin
    for worker in started:
        worker.stop()


def hooks(monkeypatch, **functions):
    module = types.ModuleType("acme_hooks")
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, "acme_hooks", module)
    return {"FANFOLD_HOOKS": "acme_hooks"}


def say_mean(monkeypatch):
    """A simulated network that answers with the mean of what it is given."""
    from lambdas.model.runtimes import simulated as module

    monkeypatch.setattr(
        module.SimulatedRuntime,
        "infer",
        lambda self, batch: [batch.reshape(len(batch), -1).mean(axis=1, keepdims=True)],
    )
    return hooks(monkeypatch, postprocess=lambda outputs: {"mean": float(outputs[0][0])})


@pytest.mark.parametrize("batch", [1, 4])
def test_every_image_meets_its_own_tensor_in_whichever_worker(
    begin, bus, images, tmp_path, monkeypatch, batch
):
    env = say_mean(monkeypatch)
    model = simulated(tmp_path / "m", batch=batch, wait_ms=0)
    transform = begin("transform", "t0", model)
    for name in ("w0", "w1"):
        begin("inference", name, model, **env)
    for n in range(6):
        transform.handle(work(f"b-{n}", *images))
    transform.handle(PROBE)

    results = bus.results()
    assert len(results) == 6 * COLOURS
    for result in results:
        shade = 20 * (result["seq"] - 1)
        assert result["output"]["mean"] == pytest.approx(shade, abs=1.5)
    assert {m["worker"] for m in bus.messages("s/done")} <= {"w0", "w1"}


def test_a_region_is_cut_by_one_function_and_answered_for_by_the_other(
    begin, bus, images, tmp_path, monkeypatch
):
    """The box lies in the middle of the region's window, which the mask covers on camera 1."""
    told = {
        "region": [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]],
        "masks": [[[0.7, 0.7], [0.8, 0.7], [0.8, 0.8], [0.7, 0.8]]],
    }
    regions = {"FANFOLD_REGIONS": json.dumps({"cam1": told})}

    def found(outputs, context):
        x, y = context.to_image(16, 16)
        boxes = [[x - 0.01, y - 0.01, x + 0.01, y + 0.01], [0.5, 0.5, 0.6, 0.6]]
        return {"boxes": [{"box": box} for box in boxes]}

    env = {**hooks(monkeypatch, postprocess=found), **regions}
    model = simulated(tmp_path / "m", wait_ms=0)
    transform = begin("transform", "t0", model, **regions)
    begin("inference", "w0", model, **env)
    transform.handle(work("b-1", images[0]))
    transform.handle(PROBE)

    (result,) = bus.results()
    assert [b["box"] for b in result["output"]["boxes"]] == [[0.5, 0.5, 0.6, 0.6]]
    assert result["region"]["window"] == [0.5, 0.5, 1.0, 1.0]
    assert result["region"]["ignored"] == 1
    assert len(result["region"]["name"]) == 8


def test_a_bad_file_and_a_bad_hook_cost_their_own_images(begin, bus, images, tmp_path, monkeypatch):
    def refuse_dark(image):
        return 1 // 0 if image.mean() < 1 else image

    env = hooks(monkeypatch, transform=refuse_dark)
    model = simulated(tmp_path / "m", wait_ms=0)
    transform = begin("transform", "t0", model, **env)
    begin("inference", "w0", model, **hooks(monkeypatch, transform=refuse_dark))
    transform.handle(work("b-1", *images[:3], "cam1/LICENSE.txt", "cam1/none.jpg"))
    transform.handle(PROBE)

    by_seq = {r["seq"]: (r["status"], r.get("reason")) for r in bus.results()}
    assert by_seq == {
        1: ("failed", "model_error"), 2: ("ok", None), 3: ("ok", None),
        4: ("failed", "not_an_image"), 5: ("failed", "not_found"),
    }  # fmt: skip


def test_it_says_hello_only_when_an_inference_function_lives(begin, bus, images, tmp_path):
    model = simulated(tmp_path / "m", wait_ms=0)
    transform = begin("transform", "t0", model)
    assert not transform.pipeline.served.is_set_within(0.6)
    assert bus.messages("s/heartbeat") == []

    begin("inference", "w0", model)

    bus.wait(lambda: {"t0", "w0"} == {b["worker"] for b in bus.messages("s/heartbeat")})
    assert bus.messages("s/heartbeat")[0]["kind"] == "hello"


def test_a_network_sees_the_tensor_as_the_pinned_worker_would(
    begin, bus, images, tmp_path, monkeypatch
):
    seen = []
    from lambdas.model.runtimes import simulated as module

    monkeypatch.setattr(
        module.SimulatedRuntime, "infer",
        lambda self, batch: seen.append(np.array(batch)) or [np.ones((1, 3))],
    )  # fmt: skip
    picture = np.random.RandomState(3).randint(0, 255, (90, 70, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "images/cam1/x.png"), picture)
    model = simulated(tmp_path / "m", wait_ms=0)
    begin("transform", "t0", model).handle(work("b-1", "cam1/x.png"))
    begin("inference", "w0", model)
    bus.wait(bus.results)
    pinned = begin("inference", "w9", model, FANFOLD_TRANSFORM_WORKERS="")
    pinned.handle(work("b-2", "cam1/x.png"))
    pinned.handle(PROBE)

    warm_ups = [batch for batch in seen if not batch.any()]
    assert len(warm_ups) == 2
    # Each of the two warms up on the same pictures first (black, grey, noisy), then sees the image.
    lit = [batch for batch in seen if batch.any()]
    fed, own = lit[len(lit) // 2 - 1], lit[-1]
    assert not np.array_equal(fed, lit[0])
    np.testing.assert_array_equal(fed, own)


def test_a_probe_of_a_fed_worker_returns_although_work_never_ends(begin, bus, images, tmp_path):
    model = simulated(tmp_path / "m", wait_ms=20)
    transform = begin("transform", "t0", model)
    worker = begin("inference", "w0", model)
    feeding = threading.Event()

    def feed():
        for n in range(20):
            transform.handle(work(f"b-{n}", *images))
            feeding.set()

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    assert feeding.wait(30)
    worker.handle(PROBE)
    assert thread.is_alive()
    thread.join(60)


def test_little_shared_memory_means_fewer_slots_and_none_is_refused(
    begin, bus, images, tmp_path, monkeypatch
):
    room, really = [200_000], os.posix_fallocate

    def allocate(fd, offset, size):
        if size > room[0]:
            raise OSError(28, "No space left on device")
        really(fd, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    model = simulated(tmp_path / "m", wait_ms=0)
    transform = begin("transform", "t0", model, FANFOLD_TENSOR_SLOTS="8")
    assert transform._ring.slots == 4

    room[0] = 1_000
    with pytest.raises(RingError, match="enlarge it"):
        begin("transform", "t0", model)


def test_what_the_environment_lacks_is_said_at_once(tmp_path):
    with pytest.raises(SettingsError) as refused:
        transform_settings({"FANFOLD_ROLE": "transform"})

    text = str(refused.value)
    for name in ("FANFOLD_SHM_DIR", "FANFOLD_INFERENCE_WORKERS", "FANFOLD_TENSOR_TOPIC"):
        assert f"{name} is missing" in text
