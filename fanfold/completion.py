"""What a shell asks at TAB, answered from words alone: the verbs take a second of CPU to import.

`words.json` is written from them by `python -m fanfold.reference`. typer reads the question and
writes the answer, each as the shell has it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from typer.completion import completion_init, shell_completion  # type: ignore[attr-defined]

WORDS = Path(__file__).with_name("words.json")
VARIABLE = "_FANFOLD_COMPLETE"
"""Set by the script that `fanfold --install-completion` installed."""

Words = Mapping[str, Any]
"""`help`, cut to a terminal's line; `line`: the whole first line of it; `options`, each with
`names`, `help`, `values` or null: a flag; `verbs` of a group."""


class Word(NamedTuple):
    value: str
    help: str


def answer(environment: Mapping[str, str] = os.environ) -> str | None:
    """None: nobody asks, or a shell that typer does not know; it says so then."""
    question, _, shell = environment.get(VARIABLE, "").partition("_")
    completion_init()
    of_shell = shell_completion.get_completion_class(shell)
    if question != "complete" or of_shell is None:
        return None
    completes: Any = of_shell
    completes = completes(cli=None, ctx_args={}, prog_name="fanfold", complete_var=VARIABLE)
    completes.get_completions = lambda typed, begun: list(fitting(words(), typed, begun))
    return str(completes.complete())


def words() -> Words:
    """Of all verbs, as they were when the reference was last written."""
    found: Words = json.loads(WORDS.read_text(encoding="utf-8"))
    return found


def fitting(words: Words, typed: Sequence[str], begun: str) -> Iterator[Word]:
    """After the words that were ``typed``, what starts as the one that is ``begun``."""
    for each in typed:
        words = words.get("verbs", {}).get(each, words)
    option, equals, value = begun.partition("=")
    last = option if equals else typed[-1] if typed else ""
    values = next((o["values"] for o in words["options"] if last in o["names"]), None)
    if values is not None:
        known, begun = [Word(each, "") for each in values], value if equals else begun
    elif begun.startswith("-"):
        known = [Word(name, o["help"]) for o in words["options"] for name in o["names"]]
        known.append(Word("--help", "Show the help and exit."))
    else:
        known = [Word(name, below["help"]) for name, below in words.get("verbs", {}).items()]
    return (word for word in known if word.value.startswith(begun))
