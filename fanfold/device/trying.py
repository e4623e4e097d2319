"""A package run once by the device's interpreter: `model pack`, `try` and `new`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fanfold.common import output
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.project import PROJECT
from fanfold.device.interpreters import answer, device_python
from fanfold.device.pool import unpacked
from lambdas.model.spec import MANIFEST, RUNTIME_MODULES, ModelError, ModelSpec
from models import jsonc, package

REQUIREMENTS = "requirements-device-runtimes.txt"
_LAST_WORDS = 2000


class Trial(NamedTuple):
    """`answers`: one per image. `softmax`: whether scores are logits, where it was told apart."""

    answers: list[dict[str, Any]]
    softmax: bool | None


def interpreter(runtime: str) -> Path:
    """The device's interpreter with `runtime` installed. Raises `UserError`."""
    python = device_python()
    if python is None:
        raise UserError("no device interpreter (.venv-device); run `make setup`", MISSING)
    module = RUNTIME_MODULES.get(runtime)
    if module is not None:
        code = f"from importlib.util import find_spec as f; print(bool(f({module!r})))"
        if answer(python, code) != "True":
            what = "torch" if runtime == "pytorch" else f"-r {PROJECT / REQUIREMENTS}"
            raise UserError(
                f"{python} lacks {module}, which runtime {runtime} needs: {python} -m pip install "
                f"{what}",
                MISSING,
            )
    return python


def run(folder: Path, runtime: str, images: list[Path], draw: Path | None = None) -> Trial:
    """Prove and run the unpacked package below `folder`. Raises `UserError`."""
    request = {
        "folder": str(folder.absolute()),
        "images": [str(path.absolute()) for path in images],
        "draw": str(draw.absolute()) if draw else None,
    }
    command = [str(interpreter(runtime)), "-m", "models.trial", json.dumps(request)]
    environment = dict(os.environ)
    if runtime == "pytorch":
        output.note("a PyTorch model may run code of its own while it is loaded, here as you")
        environment["FANFOLD_MODEL_SHA256"] = "0" * 64
    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as words:
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            said = json.loads(line)
            if "error" in said:
                raise UserError(str(said["error"]), INVALID)
            if "done" in said:
                return Trial(answers, said["done"]["softmax"])
            answers.append(said)
        words.seek(0)
        raise UserError(
            f"the network ended its interpreter ({done.returncode}): it cannot serve.\n"
            f"{words.read()[-_LAST_WORDS:]}"
        )


@contextmanager
def sealed(model: Path) -> Iterator[tuple[Path, ModelSpec]]:
    """A package, or a folder that could become one, as an unpacked package with its hashes."""
    with tempfile.TemporaryDirectory(prefix="fanfold-try-") as place:
        archive = model
        if model.is_dir() and (model / MANIFEST).is_file():
            archive = Path(place) / "model.tar.gz"
            try:
                package.pack(model, jsonc.read((model / MANIFEST).read_bytes()), archive)
            except ModelError as error:
                raise UserError(str(error), INVALID) from error
        try:
            spec = package.inspect(archive).spec
        except ModelError as error:
            raise UserError(str(error), INVALID) from error
        with unpacked(archive) as folder:
            yield folder, spec
