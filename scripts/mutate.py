# ruff: noqa: T201
"""Mutation test of the modules that keep order and lose nothing (docs/mutation.md).

`python scripts/mutate.py MODULE TESTS…` changes one operator, constant or statement of
MODULE at a time, in a copy of the tree, and runs TESTS; it prints what no test noticed and
the score. Verdicts go to `--state`, so a run that `--for-s` ended goes on where it was;
`--survivors` tries again only what survived, after a test was added.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import itertools
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
COPIED = (
    "contract",
    "lambdas",
    "edgecore",
    "tests/lambdas",
    "tests/edgecore",
    "tests/kit",
)
FEWEST_S = 10.0
SLOWER = 3.0
"""A mutant may take so many times longer than the module as it is before it counts as hung."""
_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_CHANGEABLE = (ast.Compare, ast.BinOp, ast.AugAssign, ast.BoolOp, ast.Constant, ast.Expr)
_BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv}


class Mutant(NamedTuple):
    line: int
    change: str
    text: str

    @property
    def key(self) -> str:
        """The same change of the same module has the same key in the next run."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


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


def mutants(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    for index, original in enumerate(ast.walk(tree)):
        if not isinstance(original, _CHANGEABLE) or not changed(copy.deepcopy(original)):
            continue
        mutant = copy.deepcopy(tree)
        node = next(itertools.islice(ast.walk(mutant), index, None))
        before = ast.unparse(node)
        changed(node)
        change = f"{before}  →  {ast.unparse(node)}"
        yield Mutant(getattr(node, "lineno", 0), change, ast.unparse(mutant))


class Tests:
    """A copy of the tree with a warm pytest in it."""

    def __init__(self, folder: Path, module: str, tests: list[str]) -> None:
        for name in COPIED:
            shutil.copytree(REPOSITORY / name, folder / name)
        for name in ("tests/device.ini", "pyproject.toml"):
            shutil.copy(REPOSITORY / name, folder / name)
        device = module.startswith("lambdas/")
        python = REPOSITORY / (".venv-device" if device else ".venv") / "bin/python"
        options = ["-x", "-q", "-m", "not soak", "--hypothesis-seed=0", "-p", "no:cacheprovider"]
        if device:
            options += ["-c", "tests/device.ini"]
        runner = REPOSITORY / "scripts/mutate_runner.py"
        self._process = subprocess.Popen(
            [str(python), str(runner), module, *options, *tests],
            cwd=folder,
            env={
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                "PYTHONPATH": str(folder),
                "TMPDIR": tempfile.gettempdir(),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str, limit_s: float) -> str:
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            raise RuntimeError("the runner has no pipes")
        asked.write(json.dumps({"text": text, "limit_s": limit_s}) + "\n")
        asked.flush()
        return answers.readline().strip()

    def close(self) -> None:
        self._process.communicate()


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    """The second: options of pytest, such as `--deselect=NODE`."""
    parser = argparse.ArgumentParser(
        description="Change MODULE in one place at a time and see whether TESTS notice.",
        epilog="example: python scripts/mutate.py lambdas/aggregator/reorder.py"
        " tests/lambdas/aggregator/test_reorder.py --state build/mutants.json",
    )
    parser.add_argument("module")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--state", type=Path, help="JSON file that keeps the verdicts")
    parser.add_argument("--for-s", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--sample", type=int, help="so many mutants, chosen by a fixed seed")
    parser.add_argument("--survivors", action="store_true", help="only what survived so far")
    return parser.parse_known_args()


def main() -> int:
    """0: every mutant has its verdict; 1: time ended it before; 3: the tests fail as it is."""
    arguments, options = _arguments()
    ends = time.monotonic() + arguments.for_s
    source = (REPOSITORY / arguments.module).read_text()
    known: dict[str, str] = {}
    if arguments.state and arguments.state.exists():
        known = json.loads(arguments.state.read_text())
    found = list(mutants(source))
    whole = len(found)
    if arguments.sample and arguments.sample < whole:
        found = random.Random(20261125).sample(found, arguments.sample)  # noqa: S311
    tried = {"passed"} if arguments.survivors else {None}
    todo = [mutant for mutant in found if known.get(mutant.key) in tried]
    if todo:
        with tempfile.TemporaryDirectory() as folder:
            tests = Tests(Path(folder), arguments.module, [*options, *arguments.tests])
            began = time.monotonic()
            if tests.run(ast.unparse(ast.parse(source)), 600) != "passed":
                print(f"{arguments.module}: its tests fail before anything is changed")
                return 3
            limit_s = max(FEWEST_S, SLOWER * (time.monotonic() - began))
            for mutant in todo:
                if time.monotonic() > ends:
                    break
                known[mutant.key] = tests.run(mutant.text, limit_s)
                if arguments.state:
                    arguments.state.write_text(json.dumps(known, indent=0))
            tests.close()
    return _report(arguments.module, source, found, known, whole)


def _report(
    module: str, source: str, found: list[Mutant], known: dict[str, str], whole: int
) -> int:
    lines = source.splitlines()
    for mutant in found:
        if known.get(mutant.key) == "passed":
            print(f"{module}:{mutant.line}: {lines[mutant.line - 1].strip()}\n    {mutant.change}")
    count = Counter(known.get(mutant.key, "not tried") for mutant in found)
    killed = count["failed"] + count["too long"]
    tried = killed + count["passed"]
    score = 100 * killed / tried if tried else 0.0
    mutated = f"{len(found)} of {whole} mutants"
    print(f"{module}: {mutated}, {dict(count)}, score {score:.1f} %", flush=True)
    return 1 if count["not tried"] else 0


if __name__ == "__main__":
    sys.exit(main())
