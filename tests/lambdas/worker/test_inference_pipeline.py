import json
import threading
import time

import numpy as np
import pytest
from inference_kit import DEADLINE_S, PROBE, jpeg, lite0, photo, simulated, work
from worker_kit import Gate, hooks


def in_thread(call, *args):
    thread = threading.Thread(target=call, args=args, daemon=True)
    thread.start()
    return thread


def test_photographs_come_back_named_in_one_message_per_batch(begin, bus, images):
    begin(lite0()).handle(work("b-1", "cam1/coffee.jpg", "cam1/chelsea.jpg"))
    bus.wait(bus.results)
    (message,) = bus.messages("s/done")
    labels = [r["output"]["top"][0]["label"] for r in message["results"]]
    assert labels[0] == "espresso"
    assert "cat" in labels[1]
    assert message["model"]["name"] == "lite0"
    assert set(message["results"][0]["ms"]) == {"read", "transform", "inference"}


def test_every_bad_image_is_one_failed_record_with_its_reason_among_good_ones(begin, bus, images):
    good = jpeg(photo("coffee"))
    (images / "cut.jpg").write_bytes(good[: len(good) // 2])
    (images / "LICENSE.txt").write_text("no image")
    (images / "empty.jpg").write_bytes(b"")
    (images / "folder.jpg").mkdir()
    (images / "link.jpg").symlink_to("/etc/passwd")
    huge = bytearray(b"BM" + bytes(52))
    huge[2], huge[14], huge[26], huge[28] = 54, 40, 1, 24
    huge[18:26] = np.array([60_000, 60_000], "<i4").tobytes()
    (images / "huge.bmp").write_bytes(bytes(huge))
    names = ("cut.jpg", "LICENSE.txt", "empty.jpg", "folder.jpg", "link.jpg", "huge.bmp")
    files = [
        "cam1/coffee.jpg",
        *("cam1/" + n for n in names),
        "cam1/none.jpg",
        "../x",
        "cam1/chelsea.jpg",
    ]
    begin(simulated(images.parent.parent / "m", wait_ms=0)).handle(work("b-1", *files))
    bus.wait(bus.results)
    results = bus.results()
    assert [r["seq"] for r in results] == list(range(1, 11))
    assert [r.get("reason") for r in results] == [
        None, "truncated", "not_an_image", "not_an_image", "not_a_file", "outside_volume",
        "too_large", "not_found", "outside_volume", None,
    ]  # fmt: skip
    assert all(r["detail"] for r in results if r["status"] == "failed")


def test_two_batches_are_in_hand_and_one_call_stays_open(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    gate = Gate(worker)
    worker.handle(work("b-1", "cam1/coffee.jpg"))  # returns: nothing was in hand before it
    assert gate.entered.wait(DEADLINE_S)
    second = in_thread(worker.handle, work("b-2", "cam1/chelsea.jpg"))
    # A heartbeat that names both was sent while the second call was still open.
    bus.wait(lambda: any(len(b.get("batches", ())) == 2 for b in bus.messages("s/heartbeat")))
    assert second.is_alive()
    gate.open.set()
    second.join(DEADLINE_S)
    assert not second.is_alive()


def test_a_probe_returns_when_the_pipeline_is_empty_and_not_before(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    gate = Gate(worker)
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    assert gate.entered.wait(DEADLINE_S)
    probe = in_thread(worker.handle, PROBE)
    assert probe.is_alive()
    assert not bus.results()
    gate.open.set()
    probe.join(DEADLINE_S)
    assert not probe.is_alive()
    assert len(bus.results()) == 1


def test_batches_come_out_in_the_order_they_went_in(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    for n in range(12):
        worker.handle(work(f"b-{n}", "cam1/coffee.jpg", "cam1/none.jpg"))
    worker.handle(PROBE)
    assert [m["batch"] for m in bus.messages("s/done")] == [f"b-{n}" for n in range(12)]


def test_a_network_with_a_batch_gets_several_images_at_once(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", batch=4, wait_ms=0))
    worker.handle(work("b-1", *["cam1/coffee.jpg", "cam1/none.jpg", "cam1/chelsea.jpg"] * 3))
    worker.handle(PROBE)
    statuses = [r["status"] for r in bus.results()]
    assert statuses == ["ok", "failed", "ok"] * 3


def test_images_that_wait_share_one_forward_pass_and_each_has_its_own_result(
    begin, bus, images, tmp_path
):
    worker = begin(simulated(tmp_path / "m", batch=4, wait_ms=0))
    gate = Gate(worker)
    seen = []

    def mean_of_each(batch):
        seen.append(sum(bool(row.any()) for row in batch))
        return [batch.reshape(len(batch), -1).mean(axis=1, keepdims=True)]

    gate.infer = mean_of_each
    for shade in range(1, 9):
        picture = jpeg(np.full((40, 40, 3), shade * 25, np.uint8))
        (images / f"{shade}.jpg").write_bytes(picture)
    worker.handle(work("b-1", *(f"cam1/{shade}.jpg" for shade in range(1, 9))))
    assert gate.entered.wait(DEADLINE_S)
    bus.wait(
        lambda: worker.pipeline._ready.waiting >= 4
    )  # heartbeats go on: this is looked at again
    gate.open.set()
    worker.handle(PROBE)
    assert [r["status"] for r in bus.results()] == ["ok"] * 8
    assert max(seen) == 4
    assert len(seen) < 8


@pytest.mark.parametrize(("side_px", "ahead"), [(32, 8), (1024, 2)])
def test_small_inputs_are_decoded_further_ahead_than_large_ones(
    begin, bus, images, tmp_path, side_px, ahead
):
    package = simulated(tmp_path / "m", wait_ms=0)
    model = json.loads((package / "model.json").read_text())
    model["input"]["shape"] = [1, 3, side_px, side_px]
    (package / "model.json").write_text(json.dumps(model))
    worker = begin(package)
    gate = Gate(worker)
    worker.handle(work("b-1", *["cam1/coffee.jpg"] * 9))
    assert gate.entered.wait(DEADLINE_S)
    bus.wait(lambda: worker.pipeline._ready.waiting >= ahead)  # looked at at each heartbeat
    assert worker.pipeline._ready.waiting == ahead
    gate.open.set()
    worker.handle(PROBE)
    assert len(bus.results()) == 9


def refuse_dark(batch):
    if any(0 < row.max() < 30 for row in batch):
        raise RuntimeError("too dark")
    return [np.ones((len(batch), 3))]


@pytest.fixture
def wary(begin, images, tmp_path):
    """A worker whose network refuses batches with a dark image, here `1.jpg` of four; its gate."""
    worker = begin(simulated(tmp_path / "m", batch=4, wait_ms=0))
    gate = Gate(worker)
    gate.infer = refuse_dark
    for n, shade in enumerate((200, 20, 200, 200)):
        (images / f"{n}.jpg").write_bytes(jpeg(np.full((40, 40, 3), shade, np.uint8)))
    return worker, gate


def test_an_image_that_the_network_refuses_costs_itself_and_not_its_neighbours(wary, bus):
    worker, gate = wary
    gate.open.set()
    worker.handle(work("b-1", *(f"cam1/{n}.jpg" for n in range(4))))
    worker.handle(PROBE)

    assert [r["status"] for r in bus.results()] == ["ok", "failed", "ok", "ok"]
    assert bus.results()[1]["detail"] == "too dark"


def test_an_image_that_the_network_refuses_costs_none_of_a_later_smaller_batch(wary, bus):
    worker, gate = wary
    shades = [0, 0, 0, 0, 1, 1, 0, 0]  # wherever four of them end, a dark one is not in row 0
    worker.handle(work("b-1", *(f"cam1/{n}.jpg" for n in shades)))
    assert gate.entered.wait(DEADLINE_S)
    bus.wait(lambda: worker.pipeline._ready.waiting >= 4)  # heartbeats: it is looked at again
    gate.open.set()
    worker.handle(PROBE)
    worker.handle(work("b-2", "cam1/3.jpg"))
    worker.handle(PROBE)

    assert [r["status"] for r in bus.results()] == ["failed" if n else "ok" for n in shades] + [
        "ok"
    ]


def test_results_of_a_simulation_say_so_and_those_of_a_network_do_not(begin, bus, images, tmp_path):
    for runtime in ("simulated", "noop"):
        worker = begin(simulated(tmp_path / runtime, runtime, wait_ms=0))
        worker.handle(work(runtime, "cam1/coffee.jpg"))
        worker.handle(PROBE)
    begin(lite0()).handle(work("b-1", "cam1/coffee.jpg"))
    bus.wait(lambda: len(bus.results()) == 3)
    assert [r.get("simulated") for r in bus.results()] == [True, True, None]


def test_an_inference_that_fails_costs_its_images_and_not_the_worker(begin, bus, images, tmp_path):
    worker = begin(simulated(tmp_path / "m", wait_ms=0))
    gate = Gate(worker)
    gate.open.set()
    gate.infer = lambda batch: (_ for _ in ()).throw(RuntimeError("out of memory"))
    worker.handle(work("b-1", "cam1/coffee.jpg"))
    worker.handle(PROBE)
    (result,) = bus.results()
    assert (result["reason"], result["detail"]) == ("model_error", "out of memory")
    gate.infer = lambda batch: [np.ones((1, 3))]
    worker.handle(work("b-2", "cam1/coffee.jpg"))
    worker.handle(PROBE)
    assert bus.results()[1]["status"] == "ok"


def test_large_results_of_a_batch_are_split_into_messages_within_the_limit(
    begin, bus, images, tmp_path, monkeypatch
):
    env = hooks(monkeypatch, postprocess=lambda outputs: {"text": "x" * 50_000})
    worker = begin(simulated(tmp_path / "m", wait_ms=0), **env)
    worker.handle(work("b-1", *["cam1/coffee.jpg"] * 5))
    worker.handle(PROBE)
    assert len(bus.messages("s/done")) == 3
    assert [r["seq"] for r in bus.results()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("rows", [1, 2])
def test_what_the_network_works_on_is_not_touched_by_decoding_ahead(begin, bus, images, rows):
    worker = begin(simulated(images.parent / "sim", batch=rows, wait_ms=0))
    pipeline, seen = worker.pipeline, []

    def infer(batch):
        before = batch.copy()
        if not seen:
            let_decoding_run_ahead()
        seen.append(np.array_equal(before, batch) and before.any())
        return [np.zeros((rows, 1), np.float32)]

    def let_decoding_run_ahead():
        ahead, since, deadline = -1, 0.0, time.monotonic() + DEADLINE_S
        while time.monotonic() < min(deadline, since + 0.2 if ahead > 0 else deadline):
            if pipeline._ready.waiting != ahead:
                ahead, since = pipeline._ready.waiting, time.monotonic()
            time.sleep(0.005)

    pipeline._runtime.infer = infer
    names = ["cam1/coffee.jpg", "cam1/chelsea.jpg"] * 6
    worker.handle(work("b-1", *names))
    bus.wait(lambda: len(bus.results()) == len(names))

    assert all(seen)


def test_a_mask_hides_a_cameras_boxes_and_no_other_cameras(begin, bus, images, monkeypatch):
    def middle(outputs):
        return {"boxes": [{"label": "part", "box": [0.4, 0.4, 0.6, 0.6]}]}

    masks = {"masks": [[[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]]}
    env = {"FANFOLD_REGIONS": json.dumps({"cam1": masks})}
    worker = begin(simulated(images.parent.parent / "m", wait_ms=0), **env,
                   **hooks(monkeypatch, postprocess=middle))  # fmt: skip
    message = work("b-1", "cam1/coffee.jpg", "cam1/chelsea.jpg")
    message["items"][1]["stream"] = "cam2"
    worker.handle(message)
    worker.handle(PROBE)

    masked, other = bus.results()
    assert masked["output"]["boxes"] == []
    assert masked["region"]["ignored"] == 1
    assert len(other["output"]["boxes"]) == 1
    assert "region" not in other
