"""What the guides tell people to type does what they say, typed in their order on a real core."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from guide_shell import GUIDES, PROJECT, blocks
from PIL import Image

#: Shell blocks that no test types: page → number of the block → why.
NOT_TYPED = {
    "tutorial.md": {0: "`make setup` made the environment that this test runs in"},
    "systemd.md": {0: "changes the machine's users and services"},
    "compile.md": {
        0: "tests/fanfold/test_model_compile.py types it with a network of a second",
        1: "needs the article's symbol, which is not part of the project",
    },
    "replay.md": {
        0: "tests/replay types a replay of folders with packages of a second",
        1: "needs a plant's bucket; tests/replay/test_replay_s3.py has one by moto",
        2: "needs a cluster; tests/replay/test_replay_ray.py has one of two nodes",
        3: "needs Kubernetes; tests/replay/test_replay_policy.py checks what is printed",
    },
    "sites.md": {0: "tests/fanfold/cloud/test_sites_in_the_cloud.py runs it over four sites"},
    "rollout.md": {0: "tests/fanfold/cloud/test_rollout_in_the_cloud.py runs it over six sites"},
    "moving-a-v1-group.md": {
        0: "needs the disk of a device that ran AWS's core",
        2: "tests/fanfold/importing/test_migrate.py types it with a document",
    },
    "greengrass-v2.md": {
        0: "makes folders of a user that a nucleus brings",
        1: "fetches 150 MB of wheels; tests/device/test_adopting.py packs a folder",
    },
    "canary.md": {0: "tests/edgecore/daemon/test_canary_on_a_real_core.py types it on a core"},
    "history.md": {0: "tests/edgecore/web/records types it on a core with a history"},
    "samples.md": {0: "tests/edgecore/web/records types it on a core with samples"},
    "lan.md": {0: "tests/fanfold/test_user_verbs.py types it; its core is in tests/edgecore/web"},
    "several-boxes.md": {
        0: "tests/infra/planning/test_box_plans.py reads what plan prints",
        1: "tests/fanfold/cloud/test_boxes_by_cdk.py types it, with ports of their own",
        2: "tests/fanfold/cloud/test_boxes_by_cdk.py types it while images come",
    },
    "alerting.md": {0: "tests/edgecore/web/records types it on a core with alerts"},
}

pytestmark = pytest.mark.e2e


@pytest.fixture
def hall(make_hall):
    made = make_hall()
    yield made
    made.close()


@pytest.fixture
def two_workers(make_hall):
    made = make_hall(workers=2)
    yield made
    made.close()


def test_the_tutorial(two_workers):
    hall = two_workers
    _, get, plan, run, results, send, trace, kill, change = blocks("tutorial.md")
    hall.type("\n".join(line for line in get.splitlines() if line.startswith("fanfold")))
    assert "strategy pinned" in hall.type(plan)
    assert "running" in hall.type(run)
    hall.type(results)
    hall.type(send)
    hall.heard("lite0 1.0.0")
    assert "total" in hall.type(trace)
    # Status ends 1 while the killed worker is still starting: the core is degraded then.
    assert "w0" in hall.type(kill, exits=(0, 1))
    hall.type(change)
    assert "20 accepted" in hall.said


def test_faults_on_purpose(hall):
    (hall.folder / "faults.yaml").write_text(
        blocks("fault-injection.md", "yaml")[0].replace("demo/", "hall/"), "utf-8"
    )
    run, send, follow = blocks("fault-injection.md", "")[0].replace("demo", "hall").splitlines()

    hall.type(f"{run} --model build/models/lite0-1.0.0.tar.gz")
    hall.type(follow)
    hall.type(send)

    hall.heard("lite0 1.0.0")


def test_your_own_code(hall):
    (hall.folder / "sites/press_hooks.py").write_text(blocks("own-transform.md", "python")[0])
    site = hall.folder / "sites" / "hall.yaml"
    site.write_text(site.read_text() + blocks("own-transform.md", "yaml")[0])
    run, send, follow = blocks("own-transform.md")[0].splitlines()

    hall.type(run)
    hall.type(follow)
    hall.type(send)

    hall.heard('"sum":')


def test_networks_become_packages_as_the_guide_types_it(hall):
    networks = hall.folder / "networks"
    networks.mkdir()
    make = PROJECT / "tests/kit/make_networks.py"
    subprocess.run([PROJECT / ".venv-device/bin/python", make, networks], check=True)
    for name, source in (("best", "yolo"), ("classes", "classes"), ("anomaly", "anomaly")):
        shutil.copy(networks / f"{source}.onnx", hall.folder / f"{name}.onnx")
    (hall.folder / "labels.txt").write_text("red\ngreen\nblue\n")
    (hall.folder / "photos").unlink()
    (hall.folder / "photos").mkdir()
    part = Image.new("RGB", (128, 96), (90, 90, 90))
    part.paste((230, 10, 10), (32, 32, 64, 64))
    part.save(hall.folder / "photos" / "1.png")
    yolo, classes, anomaly = blocks("own-model.md")[:3]

    assert "red part" in hall.type(yolo)
    assert "1.0.0.tar.gz" in hall.type(classes)
    assert "normal, score 0." in hall.type(anomaly)


def test_a_v1_group_written_by_hand(hall):
    press = hall.folder / "press"
    (press / "hello").mkdir(parents=True)
    (press / "group.json").write_text(blocks("moving-a-v1-group.md", "json")[0], "utf-8")
    import greengrasssdk

    shutil.copytree(Path(greengrasssdk.__file__).parent, press / "hello" / "greengrasssdk")
    (press / "hello" / "main.py").write_text(
        "import json\nimport greengrasssdk\n\nclient = greengrasssdk.client('iot-data')\n\n\n"
        "def handler(event, context):\n"
        "    client.publish(topic='hello/answers', payload=json.dumps({'twice': 2 * event['n']}))\n"
    )

    hall.type(blocks("moving-a-v1-group.md")[1])

    hall.heard('{"twice": 2}')


def test_several_gpus_are_planned(hall):
    profile = hall.folder / "device_profiles/two-gpu-industrial-pc.yaml"
    profile.write_text(blocks("multi-gpu.md", "yaml")[0], "utf-8")
    site = (hall.folder / "sites/hall.yaml").read_text()
    site = site.replace("name: hall", "name: line-3").replace("workers: 1", "workers: auto")
    site = site.replace("profile: this-machine", "profile: two-gpu-industrial-pc")
    site = site.replace("memory_kb: 330000", "memory_kb: 1100000\n    gpu_memory_mb: 1100")
    (hall.folder / "sites" / "line-3.yaml").write_text(site, "utf-8")

    said = hall.type(blocks("multi-gpu.md")[0])

    assert "GPU 0" in said
    assert "GPU 1" in said


def test_the_pool_alone(hall):
    command = blocks("strategies.md", "")[0].replace("build/demo", "build/models")

    hall.type(command)

    records = [json.loads(line) for line in (hall.folder / "results.jsonl").open()]
    failed = [record["file"] for record in records if record["status"] == "failed"]
    assert [Path(file).name for file in failed] == ["ATTRIBUTION.txt"]
    assert len(records) == 1 + len(list((hall.folder / "photos").rglob("*.jpg")))


def test_every_shell_block_of_a_guide_is_typed_or_says_why_not():
    modules = Path(__file__).parent.glob("test_guides_*.py")
    typed = "".join(module.read_text("utf-8") for module in modules)
    for page in sorted(GUIDES.glob("*.md")):
        left = set(range(len(blocks(page.name)))) - set(NOT_TYPED.get(page.name, {}))
        assert not left or f'blocks("{page.name}"' in typed, f"{page.name}: blocks {left}"
