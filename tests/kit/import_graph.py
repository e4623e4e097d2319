"""Who imports whom in this project, read from the sources; also what is imported in functions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
Graph = Mapping[str, set[str]]


def modules(packages: Iterable[str]) -> dict[str, Path]:
    """Dotted name → file of every module below these top-level packages."""
    found = {}
    for package in packages:
        for path in sorted((PROJECT / package).rglob("*.py")):
            name = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def import_graph(packages: Iterable[str]) -> dict[str, set[str]]:
    """Module → modules of the same packages that it imports."""
    known = modules(packages)
    return {
        name: {target for target in (_module(n, known) for n in _imported(path)) if target} - {name}
        for name, path in known.items()
    }


def rooms(graph: Graph, room_of: Callable[[str], str]) -> dict[str, set[str]]:
    """The graph of rooms that a graph of modules makes."""
    found: dict[str, set[str]] = {}
    for name, targets in graph.items():
        room = room_of(name)
        found.setdefault(room, set()).update(room_of(t) for t in targets)
        found[room].discard(room)
    return found


def circle(graph: Graph) -> list[str]:
    """One circle as the names on the way round; empty without any."""
    done: set[str] = set()
    for start in sorted(graph):
        if found := _walk(graph, start, [], done):
            return found
    return []


def _walk(graph: Graph, at: str, way: list[str], done: set[str]) -> list[str]:
    if at in way:
        return [*way[way.index(at) :], at]
    if at in done:
        return []
    for target in sorted(graph.get(at, ())):
        if found := _walk(graph, target, [*way, at], done):
            return found
    done.add(at)
    return []


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _module(name: str, known: Mapping[str, Path]) -> str:
    """The module that an imported name is of; empty for one that is not ours."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name
