"""`fanfold model compile`: the work is done under the device interpreter, which has MXNet."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fanfold.common import output
from fanfold.common.errors import FAILED, MISSING, UserError
from fanfold.common.project import PROJECT, device_packages
from fanfold.device.interpreters import answer, device_python
from fanfold.device.pool import unpacked
from models.package import inspect

REQUIREMENTS = "requirements-device-runtimes.txt"
#: Target → what must be importable to make files for it.
NEEDS = {
    "mxnet": ("mxnet",),
    "onnxruntime": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "onnxruntime", "openvino"),
}
_LAST_WORDS = 2000


def compile_package(package: Path, source: str, request: dict[str, Any]) -> dict[str, Any]:
    """The `result` of models.compile for `package`, whose runtime is `source`.

    `request` is that of models/compile/__main__.py without `folder`. Raises `UserError`.
    """
    python = interpreter(source, request["to"])
    with unpacked(package) as folder, tempfile.TemporaryFile("w+", encoding="utf-8") as words:
        asked = json.dumps({**request, "folder": str(folder.absolute())})
        command = [str(python), "-m", "models.compile", asked]
        with subprocess.Popen(
            command, cwd=device_packages(), stdout=subprocess.PIPE, stderr=words, text=True
        ) as process:
            try:
                last = _follow(json.loads(line) for line in process.stdout or ())
            except BaseException:
                process.terminate()
                raise
        if "result" in last:
            return dict(last["result"])
        if "error" in last:
            raise UserError(str(last["error"]), FAILED)
        words.seek(0)
        raise UserError(
            f"compiling ended with exit status {process.returncode}:\n{words.read()[-_LAST_WORDS:]}"
        )


def compiled(package: Path, out: Path, images: Path, *, to: str, int8: bool) -> dict[str, Any]:
    """For measurements: write `out` whatever the agreement is; returns the `result`.

    Random weights have no answers worth agreeing with. Raises `UserError`, `ModelError`.
    """
    request = {
        "to": to, "int8": int8, "full_range": False, "calibrate": str(images.absolute()),
        "min_agreement": 0.0, "out": str(out.absolute()), "force": True,
    }  # fmt: skip
    return compile_package(package, inspect(package).spec.runtime, request)


def interpreter(source: str, target: str) -> Path:
    """The device interpreter, if it can compile from `source` to `target`."""
    python = device_python()
    if python is None:
        raise UserError("no device interpreter (.venv-device); run `make setup`", MISSING)
    needs = sorted({*NEEDS.get(source, ()), *NEEDS[target]})
    code = f"from importlib.util import find_spec as f; print(*[n for n in {needs!r} if not f(n)])"
    lacking = answer(python, code)
    if lacking is None:
        raise UserError(f"{python} does not run; run `make setup`", MISSING)
    if lacking:
        raise UserError(
            f"{python} lacks {', '.join(lacking.split())}. Install what compiling needs "
            f"(300 MB): {python} -m pip install -r {PROJECT / REQUIREMENTS}",
            MISSING,
        )
    return python


def _follow(answers: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Show the steps as they come; returns the last answer."""
    last: dict[str, Any] = {}
    shown = ""
    with output.progress() as bar:
        task = bar.add_task("start", total=None)
        for last in answers:
            step = last.get("step")
            if step is None:
                continue
            if step != shown and bar.disable:
                output.note(f"{step} …")
            if step != shown:
                bar.reset(task, description=step, total=None)
            shown = step
            bar.update(task, completed=last["done"], total=last["total"] or None)
    return last


def default_out(package: Path, target: str, *, int8: bool) -> Path:
    """Beside nothing of the user's: in the working folder, named after the package."""
    stem = package.name
    for ending in (".tar.gz", ".tgz", ".zip"):
        stem = stem.removesuffix(ending)
    return Path(f"{stem}-{target}{'-int8' if int8 else ''}.tar.gz")
