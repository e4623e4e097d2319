"""The group document of every profile × strategy, as committed below golden/.

A change there is a change of what devices run: look at it. To accept it:
`UPDATE_GOLDEN=1 pytest tests/infra/planning/test_golden.py`.
"""

import json
import os
from pathlib import Path

import pytest
from plan_samples import PROFILES, STRATEGIES, plan, profile

from infra.planning import check, errors, render

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in PROFILES.glob("*.yaml"))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", NAMES)
def test_the_group_is_the_golden_one(name, strategy):
    found = plan(on=profile(name), profile=name, strategy=strategy)

    assert errors(check(found)) == []
    text = json.dumps(render(found), indent=1) + "\n"
    path = GOLDEN / f"{name}-{strategy}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_no_golden_group_is_left_over():
    expected = {f"{name}-{strategy}.json" for name in NAMES for strategy in STRATEGIES}

    assert {path.name for path in GOLDEN.iterdir()} == expected
