"""What it costs to start: a verb imports what it needs and no more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from checkout import PROJECT

HEAVY = {"infra.planning", "boto3", "cv2", "numpy", "ruamel.yaml", "cryptography"}
ASKS_A_CORE = ("alerts", "drain", "history", "logs", "publish", "results", "send", "status",
               "stop", "trace")  # fmt: skip


def test_what_asks_a_running_core_loads_neither_planner_nor_clouds_nor_images():
    modules = ", ".join(f"fanfold.verbs.{verb}" for verb in ASKS_A_CORE)
    listed = f"import sys, fanfold.main, {modules}; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", listed], cwd=PROJECT, text=True, capture_output=True, check=True
    ).stdout.split()

    assert "fanfold.localcore.running" in loaded
    assert HEAVY & set(loaded) == set()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("st", {"status", "stop"}),
        ("model t", {"try"}),
        ("run --mqtt-p", {"--mqtt-port", "--mqtt-plain-port"}),
        ("user add --role ", {"viewer", "operator", "admin"}),
        ("user add --role=op", {"operator"}),
    ],
)
def test_a_shell_is_given_words_and_no_verb_is_imported_for_them(typed: str, words: set[str]):
    asked = {"COMP_WORDS": f"fanfold {typed}", "COMP_CWORD": str(len(f"{typed}|".split()))}
    then = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"

    done = subprocess.run(
        [sys.executable, "-c", f"{then} from fanfold.main import main; main()"],
        cwd=PROJECT, text=True, capture_output=True, check=True,
        env={**os.environ, "_FANFOLD_COMPLETE": "complete_bash", **asked},
    )  # fmt: skip

    loaded = set(done.stderr.split())
    assert set(done.stdout.split()) == words
    assert "fanfold.completion" in loaded
    assert {name for name in loaded if name.startswith("fanfold.verbs")} == set()
    assert (HEAVY | {"pydantic"}) & loaded == set()
