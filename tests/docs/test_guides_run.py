"""What the guides tell people to type does what they say, typed in their order on a real core."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from guide_shell import GUIDES, PROJECT, Network, Shell, blocks, make_checkout
from PIL import Image

URI = "s3://hall-models/models/lite0/1.0.0.tar.gz"
CACHE = PROJECT / "build" / "guides"
NEEDED = ("unshare", "nsenter", "ip", "mosquitto_pub", "curl")
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
    "history.md": {0: "tests/edgecore/web/records types it on a core with a history"},
    "alerting.md": {0: "tests/edgecore/web/records types it on a core with alerts"},
}

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, NEEDED)),
        reason=f"needs root and {', '.join(NEEDED)}",
    ),
]


@pytest.fixture(scope="module")
def built():
    """The tutorial's own lines for a model and photographs, run once and kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of this run want them too
        if not (CACHE / "models" / "lite0-1.1.0.tar.gz").is_file():
            _build()
    return CACHE


def _build():
    for line in blocks("tutorial.md")[1].splitlines():
        if line.startswith(".venv-device"):
            typed = line.replace("build/", f"{CACHE.relative_to(PROJECT)}/")
            subprocess.run(["bash", "-c", typed], cwd=PROJECT, check=True, timeout=300)


@pytest.fixture
def network():
    made = Network()
    if not made.works:
        made.close()
        pytest.skip("no network namespace can be made here")
    yield made
    made.close()


@pytest.fixture
def hall(tmp_path, built, network):
    """The tutorial's site, its model, photographs, and a terminal in its folder."""
    folder = make_checkout(tmp_path / "checkout")
    (folder / "build").mkdir()
    for name in ("models", "images"):
        shutil.copytree(built / name, folder / "build" / name)
    (folder / "photos").symlink_to("build/images")
    shutil.copy(next((folder / "build/images").rglob("*.jpg")), folder / "image.jpg")
    volumes = str(tmp_path / "hall")
    site = blocks("tutorial.md", "yaml")[0].replace("/tmp/hall", volumes)
    (folder / "sites" / "hall.yaml").write_text(site, "utf-8")
    shell = Shell(folder, network, {"/srv/hall": volumes})
    yield shell
    shell.close()


def running(hall: Shell) -> None:
    hall.type("fanfold run hall --model build/models/lite0-1.0.0.tar.gz --detach")


def test_the_tutorial(hall):
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


def test_a_camera_over_mqtt(hall):
    running(hall)
    listen, bare, named, _ = blocks("camera-by-mqtt.md")
    images = hall.folder.parent / "hall" / "images" / "cam1"
    images.mkdir(parents=True, exist_ok=True)
    shutil.copy(hall.folder / "image.jpg", images / "000123.jpg")
    hall.type(listen)
    hall.type(bare)
    hall.type(named)
    hall.heard('"id":"c1-000123"')


def test_a_drop_folder(hall):
    running(hall)
    (hall.folder.parent / "hall/images/drop/cam2").mkdir(parents=True, exist_ok=True)
    *copy, follow = blocks("drop-folder.md")[0].splitlines()

    hall.type(follow)
    hall.type("\n".join(copy))

    hall.heard("lite0 1.0.0")


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


def test_a_model_of_your_own_is_packed_run_and_published(hall):
    import tarfile

    folder = hall.folder / "my-model"
    with tarfile.open(hall.folder / "build/models/lite0-1.0.0.tar.gz") as package:
        package.extractall(folder, filter="data")
    text = (folder / "model.json").read_text().replace('"lite0"', '"press-defects"')
    (folder / "model.json").write_text(text.replace('"1.0.0"', '"2.1.0"'))
    *_, pack, run, publish = blocks("own-model.md")
    upload, deploy = publish.splitlines()
    hall.type(pack)
    hall.type("fanfold run hall --model press-defects-2.1.0.tar.gz --detach\nfanfold results")
    hall.type("\n".join(run.splitlines()[1:]))
    hall.heard("press-defects 2.1.0")
    hall.type("fanfold stop\nfanfold devcloud start --bootstrap")

    uri = hall.type(upload).strip().splitlines()[-1]

    assert uri.startswith("s3://greengrass-hall-models/models/press-defects/2.1.0-")
    assert "DeploymentStatus = Success" in hall.type(f"{deploy.rpartition(' ')[0]} {uri}")


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


def test_a_camera_with_a_certificate(hall):
    hall.type("fanfold devcloud start --bootstrap")
    publish = "fanfold model publish build/models/lite0-1.0.0.tar.gz --bucket hall-models"
    uri = hall.type(publish).strip().splitlines()[-1]
    site = hall.folder / "sites" / "hall.yaml"
    site.write_text(site.read_text().replace(URI, uri))

    hall.type(blocks("camera-by-mqtt.md")[3])

    hall.heard("core runs group hall")


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
    site = site.replace("name: hall", "name: line-3").replace("workers: 2", "workers: auto")
    site = site.replace("profile: this-machine", "profile: two-gpu-industrial-pc")
    site = site.replace("memory_kb: 330000", "memory_kb: 1100000\n    gpu_memory_mb: 1100")
    (hall.folder / "sites" / "line-3.yaml").write_text(site, "utf-8")

    said = hall.type(blocks("multi-gpu.md")[0])

    assert "GPU 0" in said
    assert "GPU 1" in said


def test_when_something_is_wrong(hall):
    running(hall)

    # The doctor of a machine without a certificate or with another Python has something to say.
    said = hall.type(blocks("troubleshooting.md")[0], exits=(0, 1, 3))

    assert "running" in said


def test_an_action_of_the_dashboard(hall):
    running(hall)
    state = json.loads((hall.folder / ".fanfold/core/hall/core.json").read_text())

    said = hall.type(f"TOKEN={state['token']}; " + blocks("dashboard.md")[0])

    assert '"ok":true' in said.replace(" ", "")


def test_the_pool_alone(hall):
    command = blocks("strategies.md", "")[0].replace("build/demo", "build/models")

    hall.type(command)

    records = [json.loads(line) for line in (hall.folder / "results.jsonl").open()]
    failed = [record["file"] for record in records if record["status"] == "failed"]
    assert [Path(file).name for file in failed] == ["ATTRIBUTION.txt"]
    assert len(records) == 1 + len(list((hall.folder / "photos").rglob("*.jpg")))


def test_every_shell_block_of_a_guide_is_typed_or_says_why_not():
    typed = Path(__file__).read_text("utf-8")
    for page in sorted(GUIDES.glob("*.md")):
        left = set(range(len(blocks(page.name)))) - set(NOT_TYPED.get(page.name, {}))
        assert not left or f'blocks("{page.name}"' in typed, f"{page.name}: blocks {left}"
