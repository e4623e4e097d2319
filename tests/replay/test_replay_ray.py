"""Ray on a cluster of two nodes of this machine: nodes and drivers that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from replay_kit import Whole, archive_of, package

pytest.importorskip("ray", reason="needs Ray: pip install 'fanfold[ray]'")

from ray.cluster_utils import Cluster

from replay.engines.ray_engine import RayEngine

DEADLINE_S = 150
KIT = Path(__file__).parents[1] / "kit"
pytestmark = [
    pytest.mark.soak,  # two nodes take 20 s to be there
    pytest.mark.xdist_group("ray"),
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore"),  # Ray leaves sockets and files to its own processes
]


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # At the priority that Ray gives its workers a busy machine lets them wait for minutes.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    # Its own wait ends after 30 s, which a busy machine may need for one node.
    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "wait": False}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.add_node(**node)
    made.wait_for_nodes(timeout=DEADLINE_S)
    yield made
    import ray

    ray.shutdown()
    made.shutdown()


def shards_of(out: Path) -> int:
    return len(list(out.rglob("shards/*.jsonl")))


def await_shards(out: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while shards_of(out) < count:
        assert time.monotonic() < deadline, f"{shards_of(out)} of {count} shards"
        time.sleep(0.05)


def once_in_order(whole: Whole, images: int) -> None:
    assert whole.finish()["images"] == images
    assert [r["seq"] for r in whole.records()["cam1"]] == list(range(1, images + 1))
    assert {r["status"] for r in whole.records()["cam1"]} == {"ok"}


@pytest.mark.parametrize(("images", "shard"), [(60, 5), (2000, 50)])
def test_a_node_killed_in_the_middle_costs_no_image(tmp_path, cluster, images, shard):
    archive = archive_of(tmp_path / "in", cam1=images)
    model = package(tmp_path / "m", "simulated", wait_ms=10)
    whole = Whole(archive, tmp_path / "out", model, shard)
    ran = []
    engine = RayEngine(whole.job, cluster.address)
    driver = threading.Thread(target=lambda: ran.append(whole.run(engine)))
    driver.start()
    await_shards(tmp_path / "out", 2)
    before = shards_of(tmp_path / "out")
    worker = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)

    cluster.remove_node(worker, allow_graceful=False)
    driver.join(DEADLINE_S)

    assert before < images // shard
    assert ran
    assert ran[0].quarantined == []
    once_in_order(whole, images)


@pytest.mark.parametrize(("images", "kills"), [(60, 1), (2000, 3)])
def test_a_driver_that_is_killed_and_started_again_finishes(tmp_path, cluster, images, kills):
    archive = archive_of(tmp_path / "in", cam1=images)
    model = package(tmp_path / "m", "simulated", wait_ms=10)
    out, shard = tmp_path / "out", images // 20
    command = [
        sys.executable, "-m", "fanfold", "replay", "--model", str(model), "--from", str(archive),
        "--out", str(out), "--engine", "ray", "--ray", cluster.address, "--shard-images",
        str(shard), "--json",
    ]  # fmt: skip
    for kill in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as driver:
            await_shards(out, 2 * (kill + 1))
            driver.kill()

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=os.environ
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["run"]["found"] >= 2 * kills * shard
    once_in_order(Whole(archive, out, model, shard), images)


def test_a_shard_that_ends_its_ray_worker_is_quarantined_and_said(tmp_path, cluster, monkeypatch):
    archive = archive_of(tmp_path / "in", cam1=10)
    whole = Whole(archive, tmp_path / "out", package(tmp_path / "m"))
    engine = RayEngine(whole.job, cluster.address)
    guilty = next(iter(whole.plan)).key
    submit = engine.submit

    def submitted(shard):
        if shard.key != guilty:
            return submit(shard)
        import ray

        reference = ray.remote(max_retries=0)(lambda: os._exit(9)).remote()
        engine._in_hand[reference] = shard
        return None

    monkeypatch.setattr(engine, "submit", submitted)

    tally = whole.run(engine)

    assert tally.quarantined == ["shard cam1 1-5"]
    assert whole.finish()["failed"] == {"killed_workers": 5}
