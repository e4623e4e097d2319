"""MQTT topics and filters (MQTT 3.1.1 §4.7): what is allowed, what takes what, and an index.

Pure. Limits are AWS IoT's, which a V1 core shares (`contract.limits`).
"""

from __future__ import annotations

from typing import Generic, Iterable, TypeVar

from contract.limits import RESERVED_TOPIC_SLASHES, TOPIC_BYTES, TOPIC_SLASHES

T = TypeVar("T")


def topic_problem(topic: str) -> str | None:
    """Why `topic` cannot be published on, or None. Wildcards are for filters only."""
    if not topic:
        return "topic is empty"
    if "+" in topic or "#" in topic:
        return f"topic {topic!r} holds a wildcard: publish on one topic"
    if "\0" in topic:
        return "topic holds a NUL character"
    size = _size(topic)
    if size > TOPIC_BYTES.value:
        return f"topic is {size} bytes long (limit {TOPIC_BYTES.value}): shorten it"
    limit = _slashes_allowed(topic)
    if topic.count("/") > limit:
        return f"topic {topic!r} has {topic.count('/')} slashes (limit {limit}): flatten it"
    return None


def filter_problem(subject: str) -> str | None:
    """Why `subject` is no filter, or None: wildcards fill a level, `#` is the last one."""
    if not subject:
        return "filter is empty"
    found = _wildcard_problems(subject)
    return f"filter {subject!r}: {found[0]}" if found else None


def subject_problems(subject: str) -> list[str]:
    """All that Greengrass would refuse about a topic or filter of a group; none: it is fine."""
    found = []
    size, slashes = _size(subject), subject.count("/")
    if size > TOPIC_BYTES.value:
        found.append(f"{size} bytes long, {TOPIC_BYTES} allowed")
    if slashes > TOPIC_SLASHES.value:
        found.append(f"{slashes} slashes, {TOPIC_SLASHES} allowed")
    if not subject or subject.startswith("/") or "//" in subject:
        found.append("an empty level")
    return found + _wildcard_problems(subject)


def matches(subject: str, topic: str) -> bool:
    """Whether the filter takes the topic; a leading wildcard does not take `$…` topics.

    One filter against one topic; for many filters `TopicIndex` is faster.
    """
    if subject == topic:
        return True
    wanted, given = subject.split("/"), topic.split("/")
    if given[0].startswith("$") and wanted[0] != given[0]:
        return False
    for position, level in enumerate(wanted):
        if level == "#":
            return True  # "a/#" takes "a" as well
        if position >= len(given) or level not in ("+", given[position]):
            return False
    return len(wanted) == len(given)


class _Node(Generic[T]):
    __slots__ = ("children", "here", "rest")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.here: list[T] = []
        self.rest: list[T] = []


class TopicIndex(Generic[T]):
    """Filters compiled into a trie: a look-up costs the topic's levels, not the filters."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for subject, value in entries:
            self._add(subject, value)

    def _add(self, subject: str, value: T) -> None:
        problem = filter_problem(subject)
        if problem:
            raise ValueError(problem)
        node = self._root
        for level in subject.split("/"):
            if level == "#":
                node.rest.append(value)
                return
            node = node.children.setdefault(level, _Node())
        node.here.append(value)

    def find(self, topic: str) -> tuple[T, ...]:
        """Values of all filters that take `topic`, each once, in the order of the trie."""
        found: dict[T, None] = {}
        self._walk(self._root, topic.split("/"), 0, found)
        return tuple(found)

    def _walk(self, node: _Node[T], levels: list[str], at: int, found: dict[T, None]) -> None:
        wild = at > 0 or not levels[0].startswith("$")
        if wild:
            found.update(dict.fromkeys(node.rest))  # "a/#" takes "a" as well
        if at == len(levels):
            found.update(dict.fromkeys(node.here))
            return
        names = (levels[at], "+") if wild else (levels[at],)
        for name in names:
            child = node.children.get(name)
            if child is not None:
                self._walk(child, levels, at + 1, found)


def _size(topic: str) -> int:
    return len(topic.encode(errors="replace"))


def _slashes_allowed(topic: str) -> int:
    limit = RESERVED_TOPIC_SLASHES if topic.startswith("$") else TOPIC_SLASHES
    return limit.value


def _wildcard_problems(subject: str) -> list[str]:
    levels = subject.split("/")
    found = []
    if any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
        found.append("'#' must be the whole last level")
    if any("+" in level and level != "+" for level in levels):
        found.append("'+' must be a whole level")
    return found
