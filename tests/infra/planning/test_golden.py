"""The group document of every profile, as committed below golden/, with one strategy each.

A change there is a change of what devices run: look at it. To accept it:
`UPDATE_GOLDEN=1 pytest tests/infra/planning/test_golden.py`. What holds for every strategy of
every profile is in `test_strategies_of_every_profile.py`.
"""

import json
import os
from pathlib import Path

import pytest
from plan_samples import PROFILE_NAMES, STRATEGIES, document

GOLDEN = Path(__file__).parent / "golden"
CHOSEN = {
    "cpu-gateway-4core": "pinned",
    "g4dn.xlarge": "pool",
    "jetson-agx-xavier": "on_demand",
    "p3.8xlarge": "pinned",
    "this-machine": "decoupled",
    "two-gpu-industrial-pc": "decoupled",
}


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_the_group_is_the_golden_one(name):
    text = json.dumps(document(name, CHOSEN[name]), indent=1) + "\n"
    path = GOLDEN / f"{name}-{CHOSEN[name]}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    assert text == path.read_text()


def test_each_profile_has_one_golden_group_and_each_strategy_is_among_them():
    assert {path.name for path in GOLDEN.iterdir()} == {f"{n}-{s}.json" for n, s in CHOSEN.items()}
    assert set(CHOSEN) == set(PROFILE_NAMES)
    assert set(CHOSEN.values()) == set(STRATEGIES)
