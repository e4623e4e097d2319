"""Real workers on a real core, over the driver's libraries of a machine with four cards whose
index is not their device file's number and whose slowest card comes first."""

from __future__ import annotations

import json

import pytest
from checkout import PROJECT
from core_site import DEVICE_PYTHON, Site
from fake_driver import FOUR, fake_driver, uuid
from waiting import eventually

from contract.accelerators.cards import Card, Inventory, Slice
from edgecore.core.group import Function, LocalDevice, ResourceAccess
from edgecore.supervisor.accelerators import given
from edgecore.supervisor.container import CARD_FILE, container_home

WORKER = f"""
import os, sys
os.environ["AWS_GG_RESOURCE_PREFIX"] = ""
sys.path.insert(0, {str(PROJECT)!r})
from lambdas.inference.handler import handler
"""
#: Somebody else's function, as in the article: it hands GPU_ID to CUDA itself.
FOREIGN = """
import json, os
import greengrasssdk
seen = {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "gpu": os.environ["GPU_ID"]}
greengrasssdk.client("iot-data").publish(topic="seen", payload=json.dumps(seen))
def handler(event, context): pass
"""
MODEL = {
    "v": 1, "name": "sim", "version": "1.0.0", "runtime": "simulated", "task": "classification",
    "input": {"shape": [1, 3, 32, 32]}, "simulated": {"wait_ms": 0, "gpus": 9, "driver": True},
}  # fmt: skip
MINORS = ("2", "3", "0", "1")


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """Four workers; w1 and w3 see only their own card's device file, as in a container."""
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    folder = tmp_path_factory.mktemp("cards")
    driver = fake_driver(folder / "driver", FOUR)
    (folder / "model").mkdir()
    (folder / "model/model.json").write_text(json.dumps(MODEL))
    site = Site(folder)
    for index in range(4):
        only = {"FAKE_MINORS": MINORS[index]} if index % 2 else {}
        site.function(f"w{index}", WORKER, variables=_variables(folder, index, **only), Timeout=30)
        site.connect(f"w{index}", "s/heartbeat", "cloud")
    stale = _variables(folder, 2, FANFOLD_WORKER="swapped", FANFOLD_GPU_UUID=uuid("e"))
    site.function("swapped", WORKER, variables=stale, Timeout=30)
    site.function("foreign", FOREIGN, variables={"GPU_ID": "1"})
    site.connect("foreign", "seen", "cloud")
    site.prefix = ["env", f"LD_LIBRARY_PATH={driver.folder}"]
    site.start()
    yield site
    site.stop()


def _variables(folder, index, **more):
    names = ("DONE", "HEARTBEAT")
    return {
        "FANFOLD_SITE": "s",
        "FANFOLD_ROLE": "inference",
        "FANFOLD_IMAGES_DIR": str(folder),
        "FANFOLD_STATE_DIR": str(folder / "own"),
        "FANFOLD_WORKER": f"w{index}",
        "FANFOLD_MODEL_DIR": str(folder / "model"),
        "GPU_ID": str(index),
        **{f"FANFOLD_{name}_TOPIC": f"s/{name.lower()}" for name in names},
        **more,
    }


def _card(core, name):
    return eventually(lambda: core.of(name)["accelerators"], f"{name} reports its card")[0]


@pytest.mark.parametrize("index", range(4))
def test_each_worker_reports_the_card_of_its_index_compared_with_cuda(core, index):
    found = _card(core, f"w{index}")

    assert (found["gpu_id"], found["uuid"]) == (str(index), uuid("abcd"[index]))
    assert found["verified"] is True


def test_a_card_that_was_changed_stops_its_worker_with_both_names(core):
    eventually(lambda: "Was the card changed" in core.log("swapped"), "the refusal")

    assert uuid("e") in core.log("swapped")
    assert any("function swapped: GPU_ID=2" in each for each in core.status()["findings"])


def test_somebody_elses_function_counts_cards_itself(core):
    seen = eventually(lambda: _seen(core), "what the foreign function has seen")

    assert seen == [{"visible": None, "gpu": "1"}]


def _seen(core):
    return [each["payload"] for each in core.cloud() if each["topic"] == "seen"]


def _function(**environment):
    access = (ResourceAccess(resource_id="card", permission="rw"),)
    environment.setdefault("FANFOLD_ROLE", "inference")
    return Function(id="w", arn="a:b:c:d:e:f:w:1", environment=environment, access=access)


CARDS = Inventory(
    (
        Card(0, uuid("a"), "0000:18:00.0", 2),
        Card(1, uuid("b"), "0000:3b:00.0", 3, mig=True, slices=(Slice("MIG-x"), Slice("MIG-y"))),
    )
)


def test_a_container_gets_the_file_of_its_card_and_not_the_one_of_its_number(tmp_path):
    function = _function(GPU_ID="0")
    devices = (LocalDevice(id="card", name="card", source_path="/dev/nvidia0"),)

    found = given(function, ["0"], CARDS)
    home = container_home(function, devices, "bwrap", tmp_path, cards=found.devices)

    assert [word for word in home.prefix if CARD_FILE.fullmatch(word)] == ["/dev/nvidia2"] * 2


def test_a_function_without_a_cards_file_is_given_none(tmp_path):
    home = container_home(_function(GPU_ID="0"), (), "bwrap", tmp_path, cards=("/dev/nvidia2",))

    assert "/dev/nvidia2" not in home.prefix


def test_a_pool_is_told_every_uuid_and_left_every_card():
    found = given(_function(FANFOLD_GPU_IDS="1:1,0"), ["1:1", "0"], CARDS)

    assert found.environment == {"FANFOLD_GPU_UUIDS": f"MIG-y,{uuid('a')}"}
    assert found.devices == ("/dev/nvidia3", "/dev/nvidia2")


def test_what_the_core_cannot_resolve_is_a_finding_and_the_functions_own_affair():
    found = given(_function(GPU_ID="7"), ["7"], CARDS)

    assert found.environment == {}
    assert found.devices is None
    assert found.findings[0].startswith("function w: GPU_ID=7: this machine has 2 NVIDIA GPUs")
