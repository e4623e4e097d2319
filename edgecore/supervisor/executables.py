"""Functions that are programs: V1's executable runtime, mostly C and C++.

``Executable`` names the file within the code, else ``Handler`` does. On a function of any
other runtime ``Executable`` means nothing: AWS's tutorials put the handler's name there.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgecore.core.group import Function
from edgecore.supervisor.interpreters import InterpreterError


def program_name(function: Function) -> str:
    """As it is started from the code's folder; an absolute path stays one."""
    named = function.executable or function.handler or ""
    return named if named.startswith("/") else f"./{named}"


def own_program(function: Function) -> str:
    """The host's path of the program. Raises InterpreterError where it cannot be run."""
    named = function.executable or function.handler
    if not named:
        raise InterpreterError("an executable function needs Executable or Handler: its file")
    path = Path(function.code or "/") / named
    if not path.is_file():
        raise InterpreterError(f"its executable {named!r} is not in its code ({function.code})")
    if not os.access(path, os.X_OK):
        raise InterpreterError(f"its file {named!r} is not executable: chmod +x it and redeploy")
    return str(path)
