"""A function is imported without looking for garbage, and works with it looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROVIDED = Path(__file__).parents[3] / "edgecore" / "runtime" / "provided"
PROGRAM = """
import gc
from fanfold_runtime import main
usual = gc.get_threshold()
main.roundtrip = lambda request: None
main.loop.work = lambda *_: print(gc.get_threshold() == usual, gc.isenabled())
main.run("function.handler")
"""


@pytest.mark.parametrize(("chosen", "then"), [("", "True True"), ("gc.disable()", "True False")])
def test_garbage_is_collected_again_unless_the_handler_chose_otherwise(
    tmp_path: Path, chosen: str, then: str
) -> None:
    source = f"import gc\nprint(gc.get_threshold()[0])\n{chosen}\ndef handler(e, c): pass\n"
    (tmp_path / "function.py").write_text(source)
    names = ("MY_FUNCTION_ARN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "ENCODING_TYPE")
    environment = {**os.environ, **dict.fromkeys(names, "x")}
    environment["PYTHONPATH"] = os.pathsep.join([str(PROVIDED), str(tmp_path)])

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.stdout.splitlines() == ["0", then], done.stderr
