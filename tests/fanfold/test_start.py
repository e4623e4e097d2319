"""What it costs to start: a verb imports what it needs and no more."""

from __future__ import annotations

import subprocess
import sys

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
