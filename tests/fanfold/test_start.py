"""What it costs to start: a verb imports what it needs and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checkout import PROJECT

from fanfold.main import VERBS, build_app

HEAVY = {"infra.planning", "boto3", "cv2", "numpy", "ruamel.yaml", "cryptography"}
ASKS_A_CORE = ("alerts", "drain", "history", "logs", "publish", "results", "send", "status",
               "stop", "trace")  # fmt: skip


def names(arguments: tuple[str, ...]) -> set[str]:
    app = build_app(arguments)
    return {str(c.name) for c in [*app.registered_commands, *app.registered_groups]}


@pytest.mark.parametrize("module", VERBS)
def test_a_verb_is_found_in_the_module_of_its_name(module):
    verb = module.rstrip("_")

    assert verb in names((verb, "--help"))


@pytest.mark.parametrize("arguments", [(), ("--help",), ("stats",), ("destroy", "demo")])
def test_every_verb_is_known_where_none_is_named_by_its_module(arguments):
    assert names(arguments) >= {module.rstrip("_") for module in VERBS} | {"destroy"}


def test_what_asks_a_running_core_loads_neither_planner_nor_clouds_nor_images():
    modules = ", ".join(f"fanfold.verbs.{verb}" for verb in ASKS_A_CORE)
    listed = f"import sys, {modules}; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", listed], cwd=PROJECT, text=True, capture_output=True, check=True
    ).stdout.split()

    assert "fanfold.localcore.running" in loaded
    assert HEAVY & set(loaded) == set()
