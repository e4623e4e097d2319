"""The user's own code of a site (`hooks: MODULE`): found beside the site's file, checked, packed.

It runs on Python 3.8 and on another machine, so what can be known here is said here: that it
is there, that 3.8 can read it, and that it defines what is called.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from infra.planning.findings import Finding, InvalidInput

DEVICE_PYTHON = (3, 8)
CALLED = ("transform", "postprocess")
#: What else lies at the root of the functions' zip.
TAKEN = ("lambdas", "contract", "greengrasssdk")


def hook_files(module: str, folder: Path) -> dict[str, Path]:
    """Name in the zip → file, for `module` below `folder`: one file, or all of its package.

    Raises InvalidInput with a finding for a module that is not there, cannot run on the
    device, or defines neither `transform` nor `postprocess`.
    """
    root, *inner = module.split(".")
    if root in TAKEN:
        raise _wrong("FF004", module, "is the name of a part of Fanfold.", "Rename it.")
    wanted = _file_of(folder.joinpath(root, *inner))
    if wanted is None:
        path = "/".join([root, *inner])
        raise _wrong("FF001", module, f"is not in {folder}.", f"Add {folder / path}.py.")
    package = folder / root
    files = dict(_python(package, folder)) if package.is_dir() else {wanted.name: wanted}
    trees = {path: _read(module, path) for path in files.values()}
    if not _names(trees[wanted]) & set(CALLED):
        message = f"{wanted} defines neither {' nor '.join(CALLED)}."
        raise _wrong("FF006", module, message, "Define one of them; see docs/guides.")
    return files


def _file_of(path: Path) -> Path | None:
    """A package wins over a module of the same name, as Python's import has it."""
    candidates = (path / "__init__.py", path.with_name(path.name + ".py"))
    return next((file for file in candidates if file.is_file()), None)


def _python(package: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in package.rglob("*.py"):
        if "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path


def _read(module: str, path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path), feature_version=DEVICE_PYTHON)
    except OSError as error:
        raise _wrong("FF001", module, f"{path}: {error.strerror}.", "Check the file.") from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        message = f"{path}:{line}: Python 3.8 cannot read it: {getattr(error, 'msg', error)}."
        raise _wrong("FF002", module, message, "Write it for Python 3.8.") from error


def _names(tree: ast.Module) -> set[str]:
    """What the module's top level binds: definitions, assignments, imports."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _wrong(code: str, module: str, message: str, remedy: str) -> InvalidInput:
    return InvalidInput([Finding(code, "error", f"hooks: {module}", message, remedy)])
