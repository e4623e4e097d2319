"""The command line's page is the command line."""

from __future__ import annotations

import json

import pytest
from every import every

from fanfold.completion import fitting
from fanfold.reference import words
from fanfold.reference.commands import PAGE, commands, page

COMMANDS = dict(commands())
SHOWN = page()
WORDS = words.page()


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == SHOWN, "run `python -m fanfold.reference`"


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_verb_has_a_section_with_its_options(path):
    section = SHOWN.split(f"## fanfold {path}\n", 1)[1].split("\n## ", 1)[0]

    assert COMMANDS[path].help, "give the verb a docstring"
    for parameter in COMMANDS[path].params:
        if parameter.name != "help" and parameter.param_type_name == "option":
            assert every(f"`{name}`" in section for name in parameter.opts)


def test_the_words_of_completion_are_current():
    assert words.PAGE.read_text(encoding="utf-8") == WORDS, "run `python -m fanfold.reference`"


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_a_shell_completes_every_option_of_a_verb(path):
    options = [p for p in COMMANDS[path].params if p.param_type_name == "option"]

    offered = {word.value for word in fitting(json.loads(WORDS), path.split(), "--")}

    assert offered == {"--help"} | {
        name for p in options for name in (*p.opts, *p.secondary_opts) if name.startswith("--")
    }
