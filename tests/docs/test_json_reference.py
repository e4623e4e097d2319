"""docs/reference/json.md is the types of reference/answers.py, and the verbs keep to them."""

from __future__ import annotations

import pytest
from every import every

from fanfold.reference.answers import ANSWERS
from fanfold.reference.commands import commands
from fanfold.reference.json_page import PAGE, page

SHOWN = page()


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == SHOWN, "run `python -m fanfold.reference`"


def test_every_verb_that_prints_json_is_described_and_no_other() -> None:
    printing = {
        path
        for path, command in commands()
        if any("--json" in parameter.opts for parameter in command.params)
    }

    assert printing == set(ANSWERS)


@pytest.mark.parametrize("verb", sorted(ANSWERS))
def test_every_verb_has_its_table(verb: str) -> None:
    section = SHOWN.split(f"## fanfold {verb}\n", 1)[1].split("\n## ", 1)[0]

    fields = ANSWERS[verb].model_fields.items()
    assert every(f"| `{field.alias or key}` |" in section for key, field in fields)
