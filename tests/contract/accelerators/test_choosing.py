"""From a GPU_ID to one card: the rules, on made-up inventories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_driver import mig, uuid
from hypothesis import given
from hypothesis import strategies as st

from contract.accelerators.cards import (
    AcceleratorError,
    Card,
    GpuId,
    Inventory,
    Slice,
    as_json,
    from_json,
    parse_gpu_id,
    same_pci,
)
from contract.accelerators.choosing import assigned_uuid, choose, problem, within
from contract.accelerators.looking import together

PCI = ("0000:18:00.0", "0000:3b:00.0", "0000:86:00.0", "0000:af:00.0")
CARDS = tuple(
    Card(index, uuid(letter), pci, minor, "T4", 15360)
    for index, (letter, pci, minor) in enumerate(zip("abcd", PCI, (2, 3, 0, 1), strict=True))
)
SLICED = (
    replace(CARDS[0], mig=True, slices=(Slice(mig("1"), "1g", 10), Slice(mig("2"), "2g", 20))),
    CARDS[1],
)


@pytest.mark.parametrize("index", range(4))
def test_an_index_is_that_card_by_uuid_at_ordinal_zero(index):
    found = choose(GpuId(index), CARDS)

    assert (found.uuid, found.ordinal) == (CARDS[index].uuid, 0)
    assert found.environment == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": CARDS[index].uuid,
    }


def test_a_told_uuid_wins_over_an_index_that_has_moved():
    assert choose(GpuId(0), CARDS, told=uuid("d").upper()).card == CARDS[3]


def test_a_told_uuid_is_enough_where_nothing_can_be_asked():
    assert choose(GpuId(3), (), told=uuid("d")).uuid == uuid("d")
    assert choose(GpuId(3), ()).ordinal == 3
    assert "CUDA_VISIBLE_DEVICES" not in choose(GpuId(3), ()).environment


@pytest.mark.parametrize(
    ("gpu_id", "cards", "told", "restriction", "words"),
    [
        ("4", CARDS, "", None, "this machine has 4 NVIDIA GPUs: 0 = GPU-aaaa"),
        ("1", CARDS, "", "2", "within CUDA_VISIBLE_DEVICES=2: 0 = GPU-cccc"),
        ("0", CARDS, "", "", "has 0 NVIDIA GPUs within CUDA_VISIBLE_DEVICES=: none"),
        ("1", CARDS, uuid("e"), None, "Was the card changed.*fanfold detect"),
        ("1", (CARDS[0], replace(CARDS[1], visible=False)), "", None, "add /dev/nvidia3 to"),
        ("0", SLICED, "", None, "has 2 slices; name one, 0:0 to 0:1"),
        ("0:2", SLICED, "", None, "has 2 slices"),
        ("1:0", SLICED, "", None, "is not in MIG mode; use GPU_ID=1"),
        ("0", (replace(SLICED[0], slices=()),), "", None, "has no slice"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_is_there(gpu_id, cards, told, restriction, words):
    with pytest.raises(AcceleratorError, match=f"GPU_ID={gpu_id}: .*{words}"):
        choose(parse_gpu_id(gpu_id), cards, told, restriction)


def test_a_slice_is_named_by_its_card_and_place_or_by_its_uuid():
    assert choose(GpuId(0, 1), SLICED).uuid == mig("2")
    assert choose(GpuId(0), SLICED, told=mig("1")).uuid == mig("1")
    one = (replace(SLICED[0], slices=SLICED[0].slices[:1]),)
    assert choose(GpuId(0), one).uuid == mig("1")


def test_a_card_without_a_uuid_is_asked_for_by_its_place_among_those_that_open():
    nameless = [replace(card, uuid="", visible=card.index != 0) for card in CARDS]

    found = choose(GpuId(2), nameless)

    assert (found.ordinal, found.environment) == (1, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    assert "gave the one at" in problem(found, uuid("a"), PCI[0], 3)
    assert not problem(found, uuid("c"), PCI[2], 3)


def test_a_jetson_has_one_card_and_its_ordinal_is_zero():
    jetson = (Card(index=0, name="Tegra", integrated=True),)

    assert choose(GpuId(0), jetson).ordinal == 0
    assert not problem(choose(GpuId(0), jetson), uuid("f"), "0000:00:00.0", 1)
    with pytest.raises(AcceleratorError, match="has 1 NVIDIA GPUs"):
        choose(GpuId(1), jetson)


@pytest.mark.parametrize(
    ("restriction", "letters"),
    [
        ("2,0", "ca"),
        ("GPU-d", "d"),
        (f"{uuid('b')}, 0", "ba"),
        ("0,9,1", "a"),  # the first entry that is none ends the list
        ("-1", ""),
        ("", ""),
        ("NoDevFiles", ""),
        ("1,1", ""),  # given twice: none at all
        ("GPU-", ""),  # a prefix of all of them
        ("1gpu2", ""),
    ],
)
def test_a_restriction_that_was_there_already_is_read_as_cuda_reads_it(restriction, letters):
    assert [card.uuid for card in within(CARDS, restriction)] == [uuid(each) for each in letters]


def test_an_index_counts_within_a_restriction():
    assert choose(GpuId(1), CARDS, restriction="3,2").uuid == uuid("c")


@given(st.permutations(range(4)), st.sets(st.integers(0, 3), min_size=1))
def test_a_container_that_shows_some_cards_changes_no_cards_index(order, shown):
    """NVML counts the shown ones from 0; the kernel names all of them, in any order."""
    ranked = sorted(shown)
    by_nvml = [replace(CARDS[i], index=place) for place, i in enumerate(ranked)]
    by_proc = [replace(CARDS[i], name="?", memory_mb=0) for i in order]

    found = together(by_nvml, by_proc, (), ())

    assert [card.uuid for card in found] == [card.uuid for card in CARDS]
    assert {card.index for card in found if card.visible} == shown
    for index in shown:
        assert choose(GpuId(index), found).card.pci == PCI[index]


@given(st.sets(st.integers(0, 3), min_size=1))
def test_sys_alone_is_enough_to_know_what_a_toolkit_hides(shown):
    by_nvml = [replace(CARDS[i], index=place) for place, i in enumerate(sorted(shown))]

    found = together(by_nvml, by_nvml, PCI, ())

    for index in shown:
        assert choose(GpuId(index), found).uuid == uuid("abcd"[index])


def test_nvmls_own_index_counts_where_it_sees_every_card():
    shuffled = [replace(card, index=3 - card.index) for card in CARDS]

    assert together(shuffled, CARDS, PCI, ()) == shuffled


def test_without_nvml_a_card_opens_where_its_device_file_is():
    found = together(None, CARDS, (), [0, 3])

    assert [card.index for card in found if card.visible] == [1, 2]


@pytest.mark.parametrize(
    ("index", "given_uuid", "count", "words"),
    [
        (1, uuid("b"), 1, ""),
        (1, uuid("c"), 1, "GPU_ID=1 is GPU-bbbb.* and CUDA gave GPU-cccc"),
        (1, uuid("b"), 2, "leaves 2 devices instead of one"),
    ],
)
def test_another_card_than_the_claimed_one_is_said_with_both_names(index, given_uuid, count, words):
    import re

    said = problem(choose(GpuId(index), CARDS), given_uuid, "0000:86:00.0", count)

    assert bool(said) == bool(words)
    assert re.search(words, said)


def test_an_old_driver_that_names_a_slices_card_is_believed_at_the_same_address():
    found = choose(GpuId(0, 1), SLICED)

    assert not problem(found, uuid("a"), PCI[0], 1)
    assert problem(found, uuid("b"), PCI[1], 1)


def test_each_process_of_a_pool_is_told_its_own_card():
    env = {"FANFOLD_GPU_IDS": "0, 1:2", "FANFOLD_GPU_UUIDS": f"{uuid('a')},{mig('2')}"}

    assert assigned_uuid("1:2", env) == mig("2")
    assert not assigned_uuid("3", env)
    assert not assigned_uuid("0", {})


@pytest.mark.parametrize("text", ["", "x", "1:", ":1", "0:x", "256", "1.0", "GPU-a"])
def test_a_gpu_id_that_is_none_is_refused_with_the_forms_that_are(text):
    with pytest.raises(ValueError, match="card:slice for a MIG slice"):
        parse_gpu_id(text)


def test_an_inventory_travels_between_processes():
    found = Inventory((*SLICED, CARDS[3]), ("a remark",))

    assert from_json(as_json(found)) == replace(found)


def test_two_spellings_of_an_address_are_one_slot():
    assert same_pci("00000000:3B:00.0") == same_pci("0000:3b:00.0") == "0000:3b:00.0"
    assert same_pci("00010000:3B:00.0") == "10000:3b:00.0"
