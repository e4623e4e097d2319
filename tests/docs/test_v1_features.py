"""The page of V1's features names tests that are there, and all of them."""

from __future__ import annotations

import re

from checkout import PROJECT
from every import every

from fanfold.reference.v1_features import FEATURES, PAGE, WORLD, page

NAMED = {
    test if test.startswith("tests/") else f"{WORLD}/{test}" for f in FEATURES for test in f.tests
}


def _tests_of(path: str) -> set[str]:
    text = (PROJECT / path).read_text(encoding="utf-8")
    return {f"{path}::{name}" for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m fanfold.reference`"


def test_every_named_test_is_there():
    assert every(test in _tests_of(test.partition("::")[0]) for test in NAMED)


def test_every_test_of_the_world_is_named():
    files = [p.relative_to(PROJECT).as_posix() for p in (PROJECT / WORLD).glob("test_*.py")]
    assert set().union(*map(_tests_of, files)) - NAMED == set()
