"""The pool with no Greengrass, under the interpreter that the Lambdas run on."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgecore.disk.archive import ArchiveError, extract
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.project import device_packages
from fanfold.device.interpreters import device_python


def files_of(images: list[Path]) -> list[Path]:
    """Files as named; of a folder all that it holds, below too, by name."""
    found: list[Path] = []
    for path in images:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder", INVALID)
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found += inside
    if not found:
        raise UserError("no files: pass images, or a folder of images", INVALID)
    return found


@contextmanager
def unpacked(package: Path) -> Iterator[Path]:
    """A package as a folder: as it is, or unpacked for as long as it is needed."""
    if package.is_dir():
        yield package
    elif package.is_file():
        with tempfile.TemporaryDirectory(prefix="fanfold-model-") as parent:
            folder = Path(parent) / "model"
            try:
                extract(package, folder)
            except ArchiveError as error:
                said = str(error).removeprefix(f"{package.name}: ")
                remedy = "pass a package (`fanfold model pack`) or its folder"
                raise UserError(f"--model {package}: {said}; {remedy}", INVALID) from error
            yield folder
    else:
        raise UserError(f"--model {package}: no such package or folder", INVALID)


def records(files: list[Path], model: Path, workers: str, gpus: str) -> Iterator[dict[str, Any]]:
    """One record for each file, in order; raises `UserError` where no process can start."""
    python = device_python()
    if python is None:
        raise UserError("no device interpreter (.venv-device); run `make setup`", MISSING)
    with unpacked(model) as folder, tempfile.TemporaryFile("w+", encoding="utf-8") as listed:
        # A file, not a pipe: nothing can block between the list and the answers.
        listed.writelines(f"{path.absolute()}\n" for path in files)
        listed.seek(0)
        command = [str(python), "-m", "lambdas.pool", str(folder.absolute()), workers, gpus]
        with subprocess.Popen(
            command, cwd=device_packages(), stdin=listed, stdout=subprocess.PIPE
        ) as pool:
            try:
                yield from map(json.loads, pool.stdout or ())
            except GeneratorExit:  # the reader has enough
                pool.terminate()
                raise
        if pool.returncode:
            raise UserError("the pool ended early; its last output is above")
