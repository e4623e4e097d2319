"""The pool as a plain function: order, bad files, and processes that die."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from broken_volume import Volume
from inference_kit import DEADLINE_S, jpeg, simulated

from contract.accelerators.cards import GpuId
from lambdas.pool import member, run
from lambdas.pool.alone import PoolError, environment, job_of
from lambdas.pool.member import Job, Member
from lambdas.pool.pool import Owner, Pool
from lambdas.pool.sizing import gpus_here, parse_gpus, processes


def images(folder, count):
    folder.mkdir()
    for n in range(count):
        (folder / f"{n:02}.jpg").write_bytes(jpeg(np.full((40, 40, 3), n, np.uint8)))
    return sorted(str(path) for path in folder.iterdir())


def model(tmp_path):
    return simulated(tmp_path / "model", wait_ms=5, decode=True)


def test_records_come_in_the_order_of_the_paths_and_a_bad_file_costs_one(tmp_path):
    paths = images(tmp_path / "in", 12)
    licence = tmp_path / "in" / "LICENSE"
    licence.write_text("not an image")
    paths[5:5] = [str(licence), str(tmp_path / "missing.jpg")]

    records = list(run(paths, str(model(tmp_path)), "2"))

    assert [record["file"] for record in records] == paths
    assert [r["file"] for r in records if r["status"] == "failed"] == paths[5:7]


def test_an_image_behind_a_link_is_named_by_where_it_is(tmp_path):
    (there,) = images(tmp_path / "in", 1)
    (tmp_path / "folder").symlink_to("in")
    (tmp_path / "link.jpg").symlink_to("folder/00.jpg")
    ways = [
        there,
        f"{tmp_path}/folder/00.jpg",
        f"{tmp_path}/link.jpg",
        f"{tmp_path}/in/../link.jpg",
    ]

    named = [job_of(way, "b", stream="s", seq=1, image="i").items[0]["file"] for way in ways]

    assert set(named) == {os.path.realpath(there).lstrip("/")}


def test_a_model_that_cannot_load_ends_in_one_sentence(tmp_path):
    with pytest.raises(PoolError, match=r"before one was ready, the last: .*is not a folder"):
        list(run([str(tmp_path / "a.jpg")], str(tmp_path / "nomodel"), "1"))


def test_gpus_are_found_by_the_drivers_folder_and_dealt_to_the_processes_in_turn(tmp_path):
    for number, address in enumerate(("0000:00:1b.0", "0000:00:1c.0")):
        folder = tmp_path / "proc/driver/nvidia/gpus" / address
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Device Minor: \t {number}\n")
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / f"dev/nvidia{number}").touch()
    found = gpus_here(str(tmp_path), {})

    assert found == [GpuId(0), GpuId(1)]
    assert gpus_here(str(tmp_path / "no driver"), {}) == []
    pool = Pool(5, found, {}, Told())
    assert [str(member.gpu_id) for member in pool.members] == ["0", "1", "0", "1", "0"]


def test_another_interpreter_is_given_no_library_of_this_one(monkeypatch):
    started = {}
    monkeypatch.setattr(member.subprocess, "Popen", lambda _, **given: started.update(given["env"]))
    own = str(Path(sys.base_prefix) / "lib" / "python3")
    given = {"FANFOLD_POOL_PYTHON": "/other/python", "PYTHONPATH": os.pathsep.join([own, "/hooks"])}

    Member(0, -1).spawn(given)

    assert started["PYTHONPATH"].split(os.pathsep) == [member.PACKAGE_ROOT, "/hooks"]


def test_a_process_for_each_gpu_else_for_each_core():
    assert processes("auto", [GpuId(0), GpuId(1), GpuId(2)]) == 3
    assert processes("auto", []) == len(os.sched_getaffinity(0))
    assert parse_gpus("0, 1:2") == [GpuId(0), GpuId(1, 2)]
    assert parse_gpus("auto") == gpus_here()
    with pytest.raises(ValueError, match="use auto"):
        processes("many", [])


def test_images_of_a_volume_that_is_away_for_a_while_wait_for_it(tmp_path, monkeypatch):
    volume = Volume(tmp_path, monkeypatch)
    paths, records = images(tmp_path / "in", 4), []
    volume.break_(paths[1])
    package = str(simulated(tmp_path / "model", wait_ms=1, decode=True))
    running = threading.Thread(target=lambda: records.extend(run(paths, package, "1")))
    running.start()
    # In a group it has been given back to the splitter by then.
    volume.wait_for_attempts(12)

    volume.mend()
    running.join(DEADLINE_S)

    assert [(r["file"], r["status"]) for r in records] == [(path, "ok") for path in paths]


class Told(Owner):
    def __init__(self):
        self.results, self.changed = [], threading.Condition()

    def done(self, job, results):
        with self.changed:
            self.results += results
            self.changed.notify_all()

    def broken(self, message):
        raise AssertionError(message)


def test_a_killed_process_is_replaced_and_what_it_held_is_done_by_another(tmp_path):
    paths = images(tmp_path / "in", 10)
    told = Told()
    pool = Pool(1, [], environment(str(model(tmp_path)), 1), told).start()
    try:
        for n, path in enumerate(paths, 1):
            item = {"stream": "s", "seq": n, "id": f"i-{n}", "file": path.lstrip("/")}
            pool.submit(Job(f"b-{n}", 1, [item]))
            if n == 3:
                pool.members[0].process.kill()
        with told.changed:
            assert told.changed.wait_for(lambda: len(told.results) >= 10, DEADLINE_S)
    finally:
        pool.stop()

    assert {r["seq"]: r["status"] for r in told.results} == dict.fromkeys(range(1, 11), "ok")


@pytest.mark.parametrize(("kills", "status"), [(4, "ok"), (5, "failed")])
def test_it_takes_five_kills_from_outside_to_quarantine_the_image(
    tmp_path, monkeypatch, kills, status
):
    marks = tmp_path / "lives"
    marks.write_bytes(b"")
    (tmp_path / "marking_hooks.py").write_text(
        "import os, signal\n\n\ndef transform(image):\n"
        f"    with open({str(marks)!r}, 'ab') as file:\n        file.write(b'.')\n"
        f"    if os.path.getsize({str(marks)!r}) <= {kills}:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n    return image\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FANFOLD_HOOKS", "marking_hooks")
    package = simulated(tmp_path / "model", runtime="simulated", wait_ms=1, transform=True)

    (record,) = run(images(tmp_path / "in", 1), str(package), "1")

    assert record["status"] == status
    assert marks.stat().st_size == 5


def test_an_image_that_ends_processes_fails_alone_and_the_others_succeed(tmp_path, monkeypatch):
    (tmp_path / "killing_hooks.py").write_text(
        "import os\n\n\ndef transform(image):\n"
        "    return os._exit(9) if image[0, 0, 0] > 200 else image\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FANFOLD_HOOKS", "killing_hooks")
    package = simulated(tmp_path / "model", runtime="simulated", wait_ms=1, transform=True)
    paths = images(tmp_path / "in", 6)
    Path(paths[3]).write_bytes(jpeg(np.full((40, 40, 3), 250, np.uint8)))

    records = list(run(paths, str(package), "1"))

    assert [r["seq"] for r in records if r["status"] != "ok"] == [4]
    assert records[3]["reason"] == "killed_workers"


def test_results_too_large_for_one_message_are_all_told_where_the_process_dies_between(
    tmp_path, monkeypatch
):
    (tmp_path / "long_hooks.py").write_text(
        "def postprocess(outputs):\n    return {'note': 'x' * 100_000}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FANFOLD_HOOKS", "long_hooks")
    paths, told = images(tmp_path / "in", 3), Told()
    pool = Pool(1, [], environment(str(model(tmp_path)), 1), told)

    def done(job, results):
        if not told.results:  # its next message is longer than a pipe holds, so it is not out yet
            pool.members[0].process.kill()
        Told.done(told, job, results)

    monkeypatch.setattr(told, "done", done)
    pool.start()
    try:
        items = [
            {"stream": "s", "seq": n, "id": f"i-{n}", "file": path.lstrip("/")}
            for n, path in enumerate(paths, 1)
        ]
        pool.submit(Job("b", 1, items))
        with told.changed:
            assert told.changed.wait_for(lambda: len(told.results) >= 3, DEADLINE_S)
    finally:
        pool.stop()

    assert [(r["seq"], r["status"]) for r in told.results] == [(n, "ok") for n in (1, 2, 3)]
