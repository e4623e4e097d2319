"""A new model beside the one that serves, on a real core: it agrees, it differs, it dies."""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from real_core import MODEL, RealCore

from fanfold.device.interpreters import device_python

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.in_order,
    pytest.mark.skipif(device_python() is None, reason="needs .venv-device: run `make setup`"),
]
LABELS = {10: "part", 11: "part", 12: "hole", 13: "part"}
"""What a model with so many outputs says of every image."""
AGREES, DIFFERS, DIES = 11, 12, 13
HOOKS = '''
import os

def postprocess(outputs):
    """As many outputs, so a label; what the files `fail` and `die` are for is in the test."""
    classes = len(outputs[0])
    if classes == {agrees} and os.path.exists({fail!r}):
        raise ValueError("no such class")
    if classes == {dies} and os.path.exists({die!r}):
        os._exit(1)
    return {{"top": [{{"label": {labels}[classes], "index": 0, "score": 0.9}}]}}
'''


def pack(core: RealCore, classes: int) -> None:
    """The model that the next start of the core brings."""
    content = {
        **MODEL, "version": f"1.0.{classes}", "simulated": {"wait_ms": 2, "classes": classes},
    }  # fmt: skip
    (core.folder / "model.json").write_text(json.dumps(content))
    with tarfile.open(core.folder / "model.tar.gz", "w:gz") as package:
        package.add(core.folder / "model.json", "model.json")


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCore]:
    core = RealCore(tmp_path_factory.mktemp("hall"))
    core.write(
        canary={"images": 6, "max_disagreement": 0.1, "max_slowdown": 100},
        trial={"images": 40, "max_failed": 0.5},
    )
    hooks = HOOKS.format(
        agrees=AGREES, dies=DIES, labels=LABELS,
        fail=str(core.folder / "fail"), die=str(core.folder / "die"),
    )  # fmt: skip
    (core.folder / "sites/hall_hooks.py").write_text(hooks)
    pack(core, 10)
    with contextlib.ExitStack() as stack:
        core.start()
        stack.callback(core.stop)
        core.eventually(lambda: settled(core), "the first model serves")
        yield core


def settled(core: RealCore) -> bool:
    """Committed, and nothing is on trial."""
    group = core.status()["group"]
    return not group["uncommitted"] and group["trial"] is None and served_by(core) != ""


def served_by(core: RealCore) -> str:
    models = {w.get("model", {}).get("version", "") for w in workers(core) if w.get("model")}
    return str(models.pop()) if len(models) == 1 else ""


def workers(core: RealCore) -> list[Any]:
    splitter = core.status()["stats"].get("splitter") or {}
    return list((splitter.get("workers") or {}).values())


def canary(core: RealCore) -> Any:
    return core.status().get("canary") or {}


def exchange(core: RealCore, classes: int) -> None:
    core.stop()
    pack(core, classes)
    core.start()
    core.eventually(lambda: canary(core).get("state") == "comparing", lambda: canary(core))


def images_until(core: RealCore, true: Any, said: str) -> None:
    """Images come into the drop folder, at a camera's pace."""
    folder = core.folder / "images/drop/left"
    [photo, *_] = sorted((core.folder / "photos").iterdir(), key=lambda each: each.stat().st_size)

    def there() -> bool:
        beside = folder.parent / ".coming"
        shutil.copy(photo, beside)
        beside.rename(folder / f"{uuid.uuid4()}.jpg")
        time.sleep(0.2)
        return bool(true())

    folder.mkdir(parents=True, exist_ok=True)
    core.eventually(there, said)


def records(core: RealCore) -> list[Any]:
    """Every record that left for the cloud."""
    lines = [
        json.loads(line)
        for file in sorted((core.folder / "s/core/hall/cloud").glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    sent = [m["payload"] for m in lines if str(m.get("topic", "")).endswith("/results")]
    return [record for message in sent for record in message["results"]]


def _version(record: Any) -> str:
    return str((record.get("model") or {}).get("version", ""))


def every_image_has_one_record(core: RealCore) -> None:
    """Of the whole module: over two exchanges, a roll-back and a canary."""
    core.eventually(lambda: core.status()["stats"]["splitter"]["backlog"] == 0, "all answered")
    core.eventually(lambda: core.status()["cloud"]["spooled"] == 0, "all records have left")

    told = [record for record in records(core) if record.get("status") != "gap"]
    assert sorted(r["seq"] for r in told) == list(range(1, len(told) + 1))
    assert not any(str(record.get("worker", "")).startswith("canary") for record in told)
    assert all(r["status"] == "ok" for r in told if _version(r) == "1.0.10")


def test_a_model_that_agrees_replaces_the_old_one_which_served_until_then(hall: RealCore) -> None:
    exchange(hall, AGREES)
    assert served_by(hall) in {"", "1.0.10"}

    images_until(hall, lambda: canary(hall)["state"] == "passed", "the canary has passed")

    report = canary(hall)
    assert report["compared"] >= 6
    assert report["disagreed"] == 0
    assert report["model"]["version"] == "1.0.11"
    assert report["against"]["version"] == "1.0.10"
    hall.eventually(lambda: served_by(hall) == "1.0.11", "the new model serves")


def test_one_that_then_fails_live_images_goes_and_the_old_one_comes_back(hall: RealCore) -> None:
    hall.eventually(lambda: hall.status()["group"]["trial"] is not None, "on trial")
    (hall.folder / "fail").touch()

    images_until(hall, lambda: served_by(hall) == "1.0.10", "the old model serves again")

    group = hall.status()["group"]
    assert "images (limit 50% of 40" in group["refused"]["reason"]
    assert group["history"][-1]["outcome"] == "rolled back"
    codes = {reason["code"] for reason in hall.status()["verdict"]["reasons"]}
    assert "deployment_rolled_back" in codes


def test_a_model_that_differs_never_serves_and_its_answers_never_leave(hall: RealCore) -> None:
    exchange(hall, DIFFERS)

    images_until(hall, lambda: canary(hall)["state"] == "refused", "the canary is refused")

    assert "disagree on" in canary(hall)["reason"]
    assert "part → hole" in canary(hall)["reason"]
    assert served_by(hall) == "1.0.10"
    reasons = {r["code"]: r for r in hall.status()["verdict"]["reasons"]}
    assert "part → hole" in reasons["canary_refused"]["problem"]
    told = hall.fanfold("canary", "hall", ok=(1,))
    assert "refused" in told
    assert "part → hole" in told
    every_image_has_one_record(hall)
    assert not any(r["output"]["top"][0]["label"] == "hole" for r in records(hall) if "output" in r)


@pytest.mark.soak
def test_a_model_that_dies_costs_no_image(hall: RealCore) -> None:
    exchange(hall, DIES)
    (hall.folder / "die").touch()

    images_until(hall, lambda: canary(hall)["state"] == "refused", "the canary is refused")

    assert canary(hall)["deaths"] == 1
    assert served_by(hall) == "1.0.10"
    assert not (hall.folder / "images/.fanfold/canary").exists()
    every_image_has_one_record(hall)
