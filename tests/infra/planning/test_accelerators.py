"""Cards of a profile, and what the functions of a plan are told of them."""

from __future__ import annotations

import pytest
from fake_driver import mig, uuid
from plan_samples import plan, profile
from pydantic import ValidationError

from infra.planning import check, errors

CARD = {"model": "A100", "memory_mb": 40960}
NAMED = (
    {"index": 0, **CARD, "uuid": uuid("a"), "pci": "0000:18:00.0", "devices": ("/dev/nvidia2",)},
    {"index": 1, **CARD, "uuid": uuid("b"), "pci": "0000:3b:00.0", "devices": ("/dev/nvidia3",)},
)
SLICED = (
    {
        **NAMED[0],
        "mig": (
            {"uuid": mig("1"), "memory_mb": 9728, "devices": ("/dev/nvidia-caps/nvidia-cap12",)},
            {"uuid": mig("2"), "memory_mb": 19968},
        ),
    },
    NAMED[1],
)


def told(made, name):
    return {f.id: f.environment[name] for f in made.functions if name in f.environment}


def test_a_worker_is_told_its_cards_uuid_where_the_profile_has_one():
    made = plan(on=profile(gpus=NAMED))

    assert told(made, "GPU_ID") == {"w0": "0", "w1": "1"}
    assert told(made, "FANFOLD_GPU_UUID") == {"w0": uuid("a"), "w1": uuid("b")}
    assert not told(plan(on=profile()), "FANFOLD_GPU_UUID")


def test_copies_are_dealt_to_the_slices_of_a_card_and_to_the_whole_ones():
    made = plan(on=profile(gpus=SLICED))

    assert told(made, "GPU_ID") == {"w0": "0:0", "w1": "0:1", "w2": "1"}
    assert told(made, "FANFOLD_GPU_UUID")["w1"] == mig("2")
    assert not [each for each in errors(check(made)) if each.code in {"FF110", "FF111"}]


def test_a_worker_on_a_slice_may_open_the_slices_files():
    made = plan(on=profile(gpus=SLICED), isolation="container")

    first = next(f for f in made.functions if f.id == "w0")
    assert {"dev-nvidia2", "dev-nvidia-caps-nvidia-cap12"} <= {p.resource for p in first.policies}


def test_a_pool_is_told_all_cards_and_slices_in_one_order():
    made = plan(on=profile(gpus=SLICED), strategy="pool")

    assert told(made, "FANFOLD_GPU_IDS") == {"pool": "0:0,0:1,1"}
    assert told(made, "FANFOLD_GPU_UUIDS") == {"pool": f"{mig('1')},{mig('2')},{uuid('b')}"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"uuid": "GPU-1"}, "uuid"),
        ({"pci": "3B:00.0"}, "pci"),
        ({"uuid": uuid("b")}, "uuid given twice"),
    ],
)
def test_a_card_is_named_as_the_driver_names_it_and_once(changed, words):
    with pytest.raises(ValidationError, match=words):
        profile(gpus=({**NAMED[0], **changed}, NAMED[1]))
