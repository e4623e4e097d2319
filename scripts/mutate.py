# ruff: noqa: T201
"""Mutation test of the modules that keep order and lose nothing (docs/mutation.md).

`python scripts/mutate.py MODULE TESTS…` changes one operator, constant or statement of
MODULE at a time, in a copy of the tree, and runs TESTS; it prints what no test noticed.
"""

from __future__ import annotations

import ast
import copy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LIMIT_S = 40
_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv}


def changed(node: ast.AST) -> bool:
    """Change `node` in place; False: there is nothing to change in it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        node.ops[0] = _COMPARE[type(node.ops[0])]()
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _BINARY:
        node.op = _BINARY[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        node.value = not node.value
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.Constant(None)
    else:
        return False
    return True


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """(line, the changed statement, the whole changed module)."""
    tree = ast.parse(source)
    for index in range(sum(1 for _ in ast.walk(tree))):
        mutant = copy.deepcopy(tree)
        node = list(ast.walk(mutant))[index]
        if changed(node):
            yield getattr(node, "lineno", 0), ast.unparse(node), ast.unparse(mutant)


def main() -> int:
    module, tests = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("lambdas", "tests/lambdas"):
            shutil.copytree(REPOSITORY / name, Path(folder) / name)
        shutil.copy(REPOSITORY / "tests/device.ini", Path(folder) / "tests")
        target = Path(folder) / module
        source = target.read_text()
        found = survived = 0
        for line, text, mutant in mutants(source):
            found += 1
            target.write_text(mutant)
            if _passes(Path(folder), tests):
                survived += 1
                print(f"{module}:{line}: {source.splitlines()[line - 1].strip()}  →  {text}")
        print(f"{module}: {found} mutants, {survived} survived", flush=True)
    return 0


def _passes(folder: Path, tests: list[str]) -> bool:
    python = REPOSITORY / ".venv-device/bin/python"
    command = [str(python), "-B", "-m", "pytest", "-c", "tests/device.ini", "-x", "-q", *tests]
    try:
        return not subprocess.run(
            command, cwd=folder, capture_output=True, timeout=LIMIT_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return False


if __name__ == "__main__":
    sys.exit(main())
