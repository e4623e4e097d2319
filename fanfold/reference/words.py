"""fanfold/words.json, from the verbs themselves: what a shell completes (fanfold/completion.py)."""

from __future__ import annotations

import json
from typing import Any

import typer

from fanfold.completion import WORDS
from fanfold.main import build_app

PAGE = WORDS
LINE_CHARS = 72


def page() -> str:
    words = _words(typer.main.get_command(build_app()))
    return json.dumps(words, ensure_ascii=False, indent=1) + "\n"


def _words(command: Any) -> dict[str, Any]:
    said = command.get_short_help_str(limit=LINE_CHARS)
    options = [p for p in command.params if p.param_type_name == "option"]
    line = " ".join((command.help or "").split("\n\n")[0].split())
    words = {"help": said, "line": line, "options": [_option(each) for each in options]}
    if children := getattr(command, "commands", None):
        words["verbs"] = {name: _words(each) for name, each in children.items()}
    return words


def _option(parameter: Any) -> dict[str, Any]:
    names = [*parameter.opts, *parameter.secondary_opts]
    values = [str(getattr(c, "value", c)) for c in parameter.type_descriptor.choices or ()]
    return {
        "names": names, "help": parameter.help or "",
        "values": None if parameter.is_flag else values,
    }  # fmt: skip
