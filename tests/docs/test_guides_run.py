"""What the guides tell people to type does what they say, typed in their order on a real core."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from guide_blocks import SHOWN, Walk, blocks

pytestmark = [pytest.mark.e2e, pytest.mark.story]
RESULT = re.compile(
    r"^\d\d:\d\d:\d\d  cam\d +\d+  \S.*% +w\d +lite0 1\.0\.0  [\d.]+ \+ [\d.]+ ms  \S+\.jpg$",
    re.MULTILINE,
)


@pytest.fixture
def hall(make_hall):
    made = make_hall()
    yield made
    made.close()


@pytest.fixture
def two_workers(make_hall):
    made = make_hall(workers=2, real=True)
    yield made
    made.close()


def test_the_tutorial(two_workers):
    hall = two_workers
    with Walk("tutorial.md") as guide:
        get = guide.next()
        hall.type("\n".join(line for line in get.splitlines() if line.startswith("fanfold")))
        written = yaml.safe_load((hall.folder / "sites/hall.yaml").read_text())
        assert {**yaml.safe_load(guide.next("yaml")), "volumes": written["volumes"]} == written
        assert "strategy pinned" in hall.type(guide.next())
        assert "running" in hall.type(guide.next())
        hall.type(guide.next())
        hall.type(guide.next())
        hall.heard("lite0 1.0.0")
        # Shown as printed: when, which, what was found, by whom, how long, and the file.
        for said in (hall.overheard(), "".join(blocks("tutorial.md", SHOWN))):
            assert RESULT.search(said), said
        assert "total" in hall.type(guide.next())
        # Status ends 1 while the killed worker is still starting: the core is degraded then.
        assert "w0" in hall.type(guide.next(), exits=(0, 1))
        hall.type(guide.next())
    assert "20 accepted" in hall.said


def test_faults_on_purpose(hall):
    with Walk("fault-injection.md") as guide:
        faults = guide.next("yaml").replace("demo/", "hall/")
        (hall.folder / "faults.yaml").write_text(faults, "utf-8")
        run, send, follow = guide.next().replace("demo", "hall").splitlines()

        hall.type(f"{run} --model build/models/lite0-1.0.0.tar.gz")
        hall.type(follow)
        hall.type(send)

    hall.heard("lite0 1.0.0")


def test_your_own_code(hall):
    with Walk("own-transform.md") as guide:
        (hall.folder / "sites/press_hooks.py").write_text(guide.next("python"))
        site = hall.folder / "sites" / "hall.yaml"
        site.write_text(site.read_text() + guide.next("yaml"))
        run, send, follow = guide.next().splitlines()

        hall.type(run)
        hall.type(follow)
        hall.type(send)

    hall.heard('"sum":')


def test_a_v1_group_written_by_hand(hall):
    press = hall.folder / "press"
    (press / "hello").mkdir(parents=True)
    import greengrasssdk

    shutil.copytree(Path(greengrasssdk.__file__).parent, press / "hello" / "greengrasssdk")
    (press / "hello" / "main.py").write_text(
        "import json\nimport greengrasssdk\n\nclient = greengrasssdk.client('iot-data')\n\n\n"
        "def handler(event, context):\n"
        "    client.publish(topic='hello/answers', payload=json.dumps({'twice': 2 * event['n']}))\n"
    )
    with Walk("moving-a-v1-group.md") as guide:
        (press / "group.json").write_text(guide.next("json"), "utf-8")
        hall.type(guide.next())

    hall.heard('{"twice": 2}')


def test_several_gpus_are_planned(hall):
    with Walk("multi-gpu.md") as guide:
        profile = hall.folder / "device_profiles/two-gpu-industrial-pc.yaml"
        profile.write_text(guide.next("yaml"), "utf-8")
        site = (hall.folder / "sites/hall.yaml").read_text()
        site = site.replace("name: hall", "name: line-3").replace("workers: 1", "workers: auto")
        site = site.replace("profile: this-machine", "profile: two-gpu-industrial-pc")
        site = site.replace("memory_kb: 330000", "memory_kb: 1100000\n    gpu_memory_mb: 1100")
        (hall.folder / "sites" / "line-3.yaml").write_text(site, "utf-8")

        said = hall.type(guide.next())

    assert "GPU 0" in said
    assert "GPU 1" in said
