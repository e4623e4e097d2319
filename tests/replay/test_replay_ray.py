"""Ray on a cluster of this machine: nodes that come and go, GPUs, drivers that are killed.

`make ray-tests` runs it in an environment of its own, which has Ray.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from replay_kit import Whole, archive_of, package
from waiting import eventually

from bench.methods.peer import free_port

pytest.importorskip("ray", reason="needs Ray: `make ray-tests`")

from ray.cluster_utils import Cluster

from replay.engines.ray_engine import RayEngine
from replay.errors import CannotLoadError, ReplayError

DEADLINE_S = 150
CLIENT_PORT = free_port()
NODE = {"object_store_memory": 100 << 20, "wait": False}
pytestmark = [
    pytest.mark.soak,  # a node takes some seconds to be there
    pytest.mark.xdist_group("ray"),
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore"),  # Ray leaves sockets and files to its own processes
]


@pytest.fixture(scope="module")
def head():
    """A cluster of one node with one CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        # At the priority that Ray gives its workers a busy machine lets them wait for minutes.
        patch.setenv("RAY_worker_niceness", "0")
        args = {**NODE, "num_cpus": 1, "include_dashboard": False}
        args["ray_client_server_port"] = CLIENT_PORT
        made = Cluster(initialize_head=True, head_node_args=args)
        made.wait_for_nodes(timeout=DEADLINE_S)
        yield made
        made.shutdown()


@pytest.fixture
def cluster(head):
    """It has its head alone again afterwards."""
    yield head
    import ray

    ray.shutdown()
    for node in [each for each in head.list_all_nodes() if each is not head.head_node]:
        head.remove_node(node, allow_graceful=False)


def add_node(cluster, **has):
    node = cluster.add_node(**{"num_cpus": 1, **has}, **NODE)
    cluster.wait_for_nodes(timeout=DEADLINE_S)
    return node


class Driven:
    """A replay on the cluster in a thread of its own."""

    def __init__(self, whole: Whole, cluster, **asked) -> None:
        self.whole, self._ran = whole, []
        engine = RayEngine(whole.job, cluster.address, **asked)
        self._thread = threading.Thread(target=lambda: self._ran.append(whole.run(engine)))
        self._thread.start()

    def await_shards(self, count: int) -> None:
        out = self.whole.store.path
        eventually(lambda: shards_of(out) >= count, f"{count} shards", DEADLINE_S)

    def tally(self):
        self._thread.join(DEADLINE_S)
        assert self._ran, self.whole.heard.messages
        return self._ran[0]


def shards_of(out: Path) -> int:
    return len(list(out.rglob("shards/*.jsonl")))


def whole_of(tmp_path: Path, images: int, shard: int) -> Whole:
    archive = archive_of(tmp_path / "in", cam1=images)
    model = package(tmp_path / "m", "simulated", wait_ms=10, gpus=2)
    return Whole(archive, tmp_path / "out", model, shard)


def once_in_order(whole: Whole, images: int) -> list[dict]:
    assert whole.finish()["images"] == images
    records = whole.records()["cam1"]
    assert [r["seq"] for r in records] == list(range(1, images + 1))
    assert {r["status"] for r in records} == {"ok"}
    return records


@pytest.mark.parametrize(("images", "shard"), [(60, 5), (2000, 50)])
def test_a_node_killed_in_the_middle_costs_no_image(tmp_path, cluster, images, shard):
    worker = add_node(cluster)
    driven = Driven(whole_of(tmp_path, images, shard), cluster)
    driven.await_shards(2)
    before = shards_of(tmp_path / "out")

    cluster.remove_node(worker, allow_graceful=False)

    assert driven.tally().quarantined == []
    assert before < images // shard
    once_in_order(driven.whole, images)


def test_a_node_that_joins_in_the_middle_takes_shards(tmp_path, cluster):
    driven = Driven(whole_of(tmp_path, 3000, 50), cluster)
    driven.await_shards(2)

    joined = add_node(cluster)

    nodes = driven.tally().nodes
    assert nodes[joined.node_id[:12]] > 0
    assert nodes[cluster.head_node.node_id[:12]] > 0
    once_in_order(driven.whole, 3000)


@pytest.mark.parametrize("drained", [False, True], ids=["terminated", "drained and terminated"])
def test_a_node_that_is_preempted_gives_its_shards_back_and_accuses_none(
    tmp_path, cluster, drained
):
    worker = add_node(cluster)
    driven = Driven(whole_of(tmp_path, 2000, 50), cluster)
    driven.await_shards(2)
    if drained:
        drain(cluster, worker)

    cluster.remove_node(worker, allow_graceful=True)

    tally = driven.tally()
    assert tally.quarantined == []
    assert not any("a process ended" in said for said in driven.whole.heard.messages)
    once_in_order(driven.whole, 2000)


def drain(cluster, node) -> None:
    """What an autoscaler does when the cloud announces the end of a machine."""
    command = [Path(sys.executable).with_name("ray"), "drain-node", "--address", cluster.address]
    command += ["--node-id", node.node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
    command += ["--reason-message", "spot", "--deadline-remaining-seconds", "5"]
    subprocess.run(command, check=True, timeout=DEADLINE_S)


def test_with_gpus_it_waits_for_a_node_that_has_some_and_each_gpu_has_one_process(
    tmp_path, cluster, monkeypatch
):
    monkeypatch.setenv("FANFOLD_HOOKS", "replay_hooks")
    whole = whole_of(tmp_path, 400, 20)
    driven = Driven(whole, cluster, gpus=1)
    eventually(lambda: whole.heard.messages, "it says what it waits for", DEADLINE_S)
    assert "no node of the cluster has 1 CPU and 1 GPU" in whole.heard.messages[0]

    node = add_node(cluster, num_cpus=4, num_gpus=2)

    assert driven.tally().nodes == {node.node_id[:12]: 20}
    seen = [record["output"] for record in once_in_order(whole, 400)]
    assert {each["gpu_id"] for each in seen} == {"0"}  # of those that the process may see
    assert {each["visible"] for each in seen} == {"0", "1"}
    for gpu in "01":
        of_it = [each for each in seen if each["visible"] == gpu]
        spans = sorted(
            (min(times), max(times))
            for pid in {each["pid"] for each in of_it}
            if (times := [each["at"] for each in of_it if each["pid"] == pid])
        )
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(spans))
    # A model is loaded again only where a GPU changes hands, and not for each of 20 shards.
    assert len({each["pid"] for each in seen}) < 10


def test_a_cluster_elsewhere_is_sent_the_code_by_ray_client(tmp_path, cluster):
    whole = whole_of(tmp_path, 20, 5)

    whole.run(RayEngine(whole.job, f"ray://127.0.0.1:{CLIENT_PORT}"))

    once_in_order(whole, 20)


def test_nodes_need_not_see_the_folder_of_the_package(tmp_path, cluster):
    whole = whole_of(tmp_path, 20, 5)
    engine = RayEngine(whole.job, cluster.address)
    (tmp_path / "m").rename(tmp_path / "only the driver had it")

    whole.run(engine)

    once_in_order(whole, 20)


def test_a_node_that_sees_another_output_folder_writes_nothing_there(tmp_path, cluster):
    whole = whole_of(tmp_path, 20, 5)
    engine = RayEngine(whole.job, cluster.address)
    (tmp_path / "out").rename(tmp_path / "where the driver has it mounted")

    with pytest.raises(ReplayError, match="is another folder here than at the driver"):
        whole.run(engine)

    assert not (tmp_path / "out").exists()


def test_a_package_that_no_node_can_load_ends_the_replay_with_its_node(tmp_path, cluster):
    whole = whole_of(tmp_path, 20, 5)
    (tmp_path / "m/model.json").write_text("{}")

    with pytest.raises(CannotLoadError, match="the package does not fit node "):
        whole.run(RayEngine(whole.job, cluster.address))


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_answers_is_said_at_once(tmp_path, scheme):
    whole = whole_of(tmp_path, 5, 5)

    with pytest.raises(ReplayError, match=r"no cluster there .*refused"):
        RayEngine(whole.job, f"{scheme}127.0.0.1:{free_port()}")


@pytest.mark.parametrize(("images", "kills"), [(60, 1), (2000, 3)])
def test_a_driver_that_is_killed_and_started_again_finishes(tmp_path, cluster, images, kills):
    add_node(cluster)
    out, shard = tmp_path / "out", images // 20
    whole = whole_of(tmp_path, images, shard)
    command = [
        sys.executable, "-m", "fanfold", "replay", "--model", str(tmp_path / "m"),
        "--from", str(tmp_path / "in"), "--out", str(out), "--engine", "ray",
        "--ray", cluster.address, "--shard-images", str(shard), "--json",
    ]  # fmt: skip
    for kill in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as driver:
            eventually(lambda n=kill: shards_of(out) >= 2 * (n + 1), "shards", DEADLINE_S)
            driver.kill()

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=os.environ
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["run"]["found"] >= 2 * kills * shard
    once_in_order(whole, images)


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
