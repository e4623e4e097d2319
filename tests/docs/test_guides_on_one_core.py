"""Guides that need a core which runs: walked on one, in any order."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
import yaml
from guide_blocks import Walk, blocks
from guide_shell import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.story]
RUN = "fanfold run hall --model build/models/lite0-1.0.0.tar.gz --detach"
#: On at once, so that somebody can acknowledge it; a label that the photographs have.
INSTEAD = {"for_s: 600": "for_s: 1", "score_min: 0.4, score_max: 0.6": "score_min: 0.01"}


def here(block: str) -> str:
    """The guide's site is `demo` where it need not be the tutorial's."""
    for there, typed in INSTEAD.items():
        block = block.replace(there, typed)
    return block.replace("demo", "hall")


def parts(*pages: str) -> dict[str, Any]:
    """What the pages add to a site's file, together."""
    site: dict[str, Any] = {}
    for page in pages:
        for key, value in yaml.safe_load(here(blocks(page, "yaml")[0])).items():
            site[key] = {**site.get(key, {}), **value}
    return site


def runs_with(site: Shell, block: str) -> bool:
    """Whether the site's file has the block, as this core was started with it."""
    whole = yaml.safe_load((site.folder / "sites/hall.yaml").read_text("utf-8"))
    wanted = yaml.safe_load(here(block))
    return all(whole[key].keys() >= value.keys() for key, value in wanted.items())


@pytest.fixture(scope="module")
def running(make_hall) -> Shell:
    hall = make_hall()
    site = hall.folder / "sites" / "hall.yaml"
    more = parts("samples.md", "history.md", "alerting.md")
    site.write_text(site.read_text("utf-8") + yaml.safe_dump(more), "utf-8")
    hall.type(RUN)
    (hall.folder / "one").mkdir()
    shutil.copy(hall.folder / "image.jpg", hall.folder / "one")
    hall.type("fanfold send one --site hall --camera cam1")
    return hall


@pytest.fixture
def hall(running):
    """A terminal of one's own: who listened for an earlier guide is gone."""
    yield running
    running.hang_up()


def test_a_drop_folder(hall):
    (hall.folder.parent / "hall/images/drop/cam2").mkdir(parents=True, exist_ok=True)
    with Walk("drop-folder.md") as guide:
        *copy, follow = guide.next().splitlines()

        hall.type(follow)
        hall.type("\n".join(copy))

    hall.heard("lite0 1.0.0")


def test_when_something_is_wrong(hall):
    with Walk("troubleshooting.md") as guide:
        # The doctor of a machine without a certificate or with another Python has something to say.
        said = hall.type(guide.next(), exits=(0, 1, 3))

    assert "running" in said


def test_an_action_of_the_dashboard(hall):
    state = json.loads((hall.folder / ".fanfold/core/hall/core.json").read_text())
    with Walk("dashboard.md") as guide:
        said = hall.type(f"TOKEN={state['token']}; " + guide.next())

    assert '"ok":true' in said.replace(" ", "")


def test_the_history(hall):
    with Walk("history.md") as guide:
        said = hall.type(here(guide.next()))
        assert runs_with(hall, guide.next("yaml"))

    assert "Egyptian cat" in said or "tabby" in said or "cam1/1" in said
    assert "defect rate" in said
    assert (hall.folder / "history.csv").read_text("utf-8-sig").count("\n") >= 2


def test_samples(hall):
    with Walk("samples.md") as guide:
        assert runs_with(hall, guide.next("yaml"))
        said = hall.type(here(guide.next()))

    assert re.search(r"[1-9]\d* images with their records in to-label", said)
    records = [json.loads(path.read_text()) for path in (hall.folder / "to-label").rglob("*.json")]
    assert {record["sample"] for record in records} <= {"doubtful", "cracks", "background"}


def test_alerts(hall):
    with Walk("alerting.md") as guide:
        assert runs_with(hall, guide.next("yaml"))
        # Nobody is there to be told: each way says so.
        said = hall.type(here(guide.next()), exits=(0, 1))

    for way in ("webhook", "mail", "mqtt"):
        assert re.search(rf"^{way}: ", said, re.MULTILINE), said
    assert "nothing-inspected" in hall.type("fanfold alerts list hall")


def test_a_canary_says_that_there_is_none(hall):
    """With images and a second model: tests/edgecore/daemon/test_canary_on_a_real_core.py."""
    with Walk("canary.md") as guide:
        assert yaml.safe_load(guide.next("yaml")).keys() == {"canary", "trial"}
        # 3: something is missing, which is what it says.
        said = hall.type(guide.next(), exits=(0, 1, 3))

    assert "has compared no model" in said


def test_what_the_device_keeps_of_people(hall):
    with Walk("retention.md") as guide:
        site = hall.folder / "sites" / "kept.yaml"
        tutorial = blocks("tutorial.md", "yaml")[0].replace("name: hall", "name: kept")
        site.write_text(tutorial + guide.next("yaml"))

    assert "kept" in hall.type("fanfold plan kept")


@pytest.fixture
def stopped(hall):
    """Another core of the site for a while; the one of the others runs again afterwards."""
    hall.type("fanfold stop")
    yield hall
    hall.hang_up()
    hall.type("fanfold stop", exits=(0, 3))
    hall.type(RUN)


def test_people_on_the_local_network(stopped):
    hall = stopped
    shutil.copy(hall.folder / "build/models/lite0-1.0.0.tar.gz", hall.folder)
    with Walk("lan.md") as guide:
        said = hall.type(here(guide.next()))
        assert "dashboard for users: https://" in said
        assert re.search(r"oskar +operator", said)
        metrics = hall.type(here(guide.next()).replace("192.168.1.5", "127.0.0.1"))
        assert "fanfold_images_total" in metrics
        hall.type("fanfold stop")
        hall.type(here(guide.next()))
    hall.heard("dashboard for users")


def test_prometheus_is_told_where_to_look(hall):
    with Walk("grafana.md") as guide:
        told = yaml.safe_load(guide.next("yaml"))

    assert {"scrape_configs", "rule_files"} <= told.keys()
    (address,) = told["scrape_configs"][0]["static_configs"][0]["targets"]
    assert "fanfold_verdict" in hall.type(f"curl -s http://{address}/metrics")


def test_the_pool_alone_and_its_strategy(hall):
    with Walk("strategies.md") as guide:
        decoupled = guide.next("yaml")
        hall.type(guide.next().replace("build/demo", "build/models"))
        code = guide.next("python")
    records = [json.loads(line) for line in (hall.folder / "results.jsonl").open()]
    failed = [record["file"] for record in records if record["status"] == "failed"]

    assert yaml.safe_load(decoupled)["strategy"] == "decoupled"
    compile(code, "strategies.md", "exec")
    assert [file.rpartition("/")[2] for file in failed] == ["ATTRIBUTION.txt"]
    assert len(records) == 1 + len(list((hall.folder / "photos").rglob("*.jpg")))


def test_a_camera_s_secret(hall):
    with Walk("cameras.md") as guide:
        cameras = guide.next("yaml")
        site = blocks("tutorial.md", "yaml")[0].replace("name: hall", "name: fetched")
        site = re.sub(r"^cameras:\n(?:  .*\n)*", cameras, site, flags=re.MULTILINE)
        (hall.folder / "sites/fetched.yaml").write_text(site)
        assert "grabber" in hall.type("fanfold plan fetched")
        secret = hall.folder / "fanfold/state/grabber/secrets/cam1"
        hall.type(guide.next().replace("/srv", str(hall.folder)))

    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_replay_of_the_folder_of_photographs(hall):
    with Walk("replay.md") as guide:
        said = hall.type(guide.next())

    pictures = len(list((hall.folder / "build/images").rglob("*.jpg")))
    assert f"{pictures} images" in said or f"{pictures} of {pictures}" in said, said


def test_cameras_are_dealt_over_several_boxes(hall):
    with Walk("several-boxes.md") as guide:
        site = yaml.safe_load(blocks("tutorial.md", "yaml")[0])
        site = {**site, **yaml.safe_load(guide.next("yaml").replace("hall", "boxes"))}
        (hall.folder / "sites/boxes.yaml").write_text(yaml.safe_dump(site))

        said = hall.type(guide.next().replace("hall", "boxes"))

    assert "3 cameras over 3 cores" in said
    assert "press-top*" in said
