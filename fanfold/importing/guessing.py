"""Handler and runtime of a function that a source only names by its ARN, from its code."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME

_ELF = b"\x7fELF"
_PYTHON = re.compile(r"^def (lambda_handler|function_handler|handler)\(", re.MULTILINE)
_NODE = re.compile(r"\bexports\.(\w+)\s*=")


def guess(entry: dict[str, Any], executable: str, code: Path, notes: list[str]) -> None:
    """Completes ``entry`` of ``Lambdas`` and notes that it did. ``executable``: the group's."""
    if entry.get("Handler") and entry.get("Runtime"):
        return
    handler, runtime = _read(executable, code)
    if runtime == EXECUTABLE_RUNTIME and entry.get("Runtime") in (None, runtime):
        entry["Handler"] = executable
    entry["Runtime"] = entry.get("Runtime") or runtime
    entry["Handler"] = entry.get("Handler") or handler
    notes.append(
        f"function {entry['FunctionName']}: handler and runtime are not in the source; taken for "
        f"{entry['Handler']} on {entry['Runtime']}: correct them in group.json where that is wrong"
    )


def _read(executable: str, code: Path) -> tuple[str, str]:
    """Handler and runtime by what is in the folder ``code``."""
    if executable and _is_program(code / executable):
        return executable, EXECUTABLE_RUNTIME
    # AWS's own tutorials write the handler's name as Executable.
    module, _, function = executable.rpartition(".")
    for suffix, runtime in ((".py", "python3.8"), (".js", "nodejs12.x")):
        if module and function and (code / f"{module}{suffix}").is_file():
            return executable, runtime
    for pattern, suffix, runtime in ((_PYTHON, ".py", "python3.8"), (_NODE, ".js", "nodejs12.x")):
        for path in sorted(code.glob(f"*{suffix}")):
            if found := pattern.search(path.read_text(encoding="utf-8", errors="replace")):
                return f"{path.stem}.{found[1]}", runtime
    return "main.handler", "python3.8"


def _is_program(path: Path) -> bool:
    """A binary, or a script that names its interpreter; not a module."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(_ELF))
    return start == _ELF or (start.startswith(b"#!") and os.access(path, os.X_OK))
