"""Against the driver's two libraries, built by gcc for a machine that a test describes. What an
ordinal is, the libcuda of that machine decides: it knows nothing of our rules."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from checkout import PROJECT
from fake_driver import FOUR, SLICED, fake_driver, mig, proc_files, uuid

from contract.accelerators.files import addresses_by_sysfs, cards_by_proc

#: As a worker does: claim a card, then ask CUDA which one ordinal 0 is.
CLAIM = """
import json, os, sys
from contract.accelerators.cards import parse_gpu_id
from contract.accelerators.choosing import choose, problem
from contract.accelerators.cuda import device
from contract.accelerators.looking import look
choice = choose(parse_gpu_id(sys.argv[1]), look(sys.argv[2]).cards, os.environ.get("TOLD", ""),
                os.environ.get("CUDA_VISIBLE_DEVICES"))
os.environ.update(choice.environment)
given = device(choice.ordinal)
print(json.dumps([given.uuid, given.count, problem(choice, given.uuid, given.pci, given.count)]))
"""


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return fake_driver(tmp_path_factory.mktemp("four"), FOUR)


@pytest.fixture(scope="module")
def sliced(tmp_path_factory):
    return fake_driver(tmp_path_factory.mktemp("sliced"), SLICED)


def run(driver: Any, *arguments: str, **env: str) -> Any:
    environment = {**driver.env, "PYTHONPATH": str(PROJECT), **env}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cards(driver: Any, **env: str) -> list[dict[str, Any]]:
    return run(driver, "-m", "contract.accelerators", **env)["cards"]


def test_the_library_lists_every_card_with_its_minor_and_memory(four):
    found = cards(four)

    assert [(c["index"], c["uuid"], c["minor"]) for c in found] == [
        (0, uuid("a"), 2), (1, uuid("b"), 3), (2, uuid("c"), 0), (3, uuid("d"), 1),
    ]  # fmt: skip
    assert [c["memory_mb"] for c in found] == [81920, 81920, 15360, 15360]


def test_slices_of_a_card_are_listed_with_their_memory(sliced):
    first, second = cards(sliced)

    assert [(s["uuid"], s["memory_mb"]) for s in first["slices"]] == [
        (mig("1"), 19968), (mig("2"), 40192),
    ]  # fmt: skip
    assert first["mig"]
    assert not second["mig"]


@pytest.mark.parametrize("order", ["FASTEST_FIRST", "PCI_BUS_ID"])
@pytest.mark.parametrize("index", range(4))
def test_every_index_reaches_its_card_whatever_order_cuda_counts_in(four, index, order):
    assert run(four, "-c", CLAIM, str(index), "/", CUDA_DEVICE_ORDER=order) == [
        uuid("abcd"[index]), 1, "",
    ]  # fmt: skip


@pytest.mark.parametrize("index", range(4))
def test_a_container_with_one_card_gives_that_card_to_its_index(four, tmp_path, index):
    """The defect that this is for: ordinal 1 does not exist where only /dev/nvidia1 is."""
    minor = ("2", "3", "0", "1")[index]
    root = proc_files(tmp_path)

    assert run(four, "-c", CLAIM, str(index), str(root), FAKE_MINORS=minor) == [
        uuid("abcd"[index]), 1, "",
    ]  # fmt: skip


def test_a_container_that_hides_everything_else_is_told_by_the_profiles_uuid(four):
    assert run(four, "-c", CLAIM, "1", "/", FAKE_MINORS="3", TOLD=uuid("b"))[0] == uuid("b")


def test_a_slice_is_reached_by_its_own_uuid(sliced):
    said = run(sliced, "-c", CLAIM, "0:1", "/")

    assert said == [mig("2").replace("MIG", "GPU"), 1, ""]


def test_a_restriction_of_the_surroundings_moves_the_index(four):
    said = run(
        four, "-c", CLAIM, "1", "/", CUDA_VISIBLE_DEVICES="3,2", CUDA_DEVICE_ORDER="PCI_BUS_ID"
    )

    assert said == [uuid("c"), 1, ""]


@pytest.mark.parametrize(
    ("code", "words"),
    [("18", "different versions: restart"), ("9", "not loaded"), ("7", "answers 7")],
)
def test_a_library_that_fails_is_a_remark_with_its_reason(four, code, words):
    found = run(four, "-m", "contract.accelerators", FAKE_NVML=code)

    assert not found["cards"]
    assert words in found["remarks"][0]


def test_a_card_that_fell_off_the_bus_leaves_the_others_their_index(tmp_path):
    lost = FOUR.replace(" 81920 2 - A100", " 81920 2 lost A100")
    driver = fake_driver(tmp_path / "driver", lost)

    found = run(driver, "-m", "contract.accelerators", str(proc_files(tmp_path)))

    assert [(c["index"], c["visible"]) for c in found["cards"]] == [
        (0, True), (1, False), (2, True), (3, True),
    ]  # fmt: skip
    assert found["remarks"] == ["GPU 1: the card has fallen off the bus"]


def test_a_machine_without_a_driver_has_no_cards_and_nothing_to_say(tmp_path):
    empty = fake_driver(tmp_path / "driver")
    (empty.folder / "libnvidia-ml.so.1").unlink()

    assert cards(empty) == []


def test_a_card_that_the_driver_was_told_to_leave_out_has_no_index(tmp_path):
    root = proc_files(tmp_path)
    with (root / "proc/driver/nvidia/gpus/0000:3b:00.0/information").open("a") as file:
        file.write("GPU Excluded:\t Yes\n")

    assert [card.uuid for card in cards_by_proc(str(root))] == [uuid(each) for each in "acd"]


def test_sys_names_display_controllers_that_the_nvidia_driver_holds(tmp_path):
    drivers = {"0000:18:00.0": "nvidia", "0000:3b:00.0": "vfio-pci", "0000:86:00.0": "nvidia"}
    for address, driver in drivers.items():
        _pci_device(tmp_path, address, driver, "0x030200")
    _pci_device(tmp_path, "0000:18:00.1", "nvidia", "0x040300")  # the first card's sound

    assert addresses_by_sysfs(str(tmp_path)) == ["0000:18:00.0", "0000:86:00.0"]


def _pci_device(root, address, driver, kind):
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x10de\n")
    (folder / "class").write_text(kind + "\n")
    (root / "drivers" / driver).mkdir(parents=True, exist_ok=True)
    (folder / "driver").symlink_to(root / "drivers" / driver)
