import os
import subprocess
import sys
from pathlib import Path

from inference_kit import DEADLINE_S, environment

ROOT = Path(__file__).parents[2]


def load_handler(tmp_path, env):
    """Import the entry point in a process of its own, as the core does.

    The real SDK needs modules that only a core supplies; these starts end before its use.
    """
    (tmp_path / "greengrasssdk.py").write_text("def client(name): return None\n")
    return subprocess.run(
        [sys.executable, "-c", "import lambdas.inference.handler"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", **env},
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_model_that_is_missing_ends_the_start_with_one_clear_line(tmp_path):
    done = load_handler(tmp_path, environment(tmp_path, tmp_path / "nothing"))
    assert done.returncode == 1
    assert "cannot start: no model" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_that_the_environment_lacks_is_said_at_once(tmp_path):
    done = load_handler(tmp_path, {"FANFOLD_ROLE": "inference", "FANFOLD_SITE": "s"})
    assert done.returncode == 1
    assert "FANFOLD_WORKER is missing" in done.stderr
    assert "FANFOLD_MODEL_DIR is missing" in done.stderr
    assert "Traceback" not in done.stderr
