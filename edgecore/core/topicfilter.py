"""MQTT topics and filters (MQTT 3.1.1 §4.7), and the index that routes by them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_TOPIC_BYTES = 256
MAX_SLASHES = 7
"""AWS IoT's limits, which the V1 core shares (AWS IoT Greengrass endpoints and quotas)."""

RESERVED_MAX_SLASHES = 10
"""``$aws/…`` topics of AWS IoT have up to three levels of their own in front."""


def topic_problem(topic: str) -> str | None:
    """Why ``topic`` cannot be published on, or None. Wildcards are for filters only."""
    if not topic:
        return "topic is empty"
    if "+" in topic or "#" in topic:
        return f"topic {topic!r} holds a wildcard: publish on one topic"
    if "\0" in topic:
        return "topic holds a NUL character"
    size = len(topic.encode(errors="replace"))
    if size > MAX_TOPIC_BYTES:
        return f"topic is {size} bytes long (limit {MAX_TOPIC_BYTES}): shorten it"
    limit = RESERVED_MAX_SLASHES if topic.startswith("$") else MAX_SLASHES
    if topic.count("/") > limit:
        return f"topic {topic!r} has {topic.count('/')} slashes (limit {limit}): flatten it"
    return None


def filter_problem(subject: str) -> str | None:
    """Why ``subject`` is no filter, or None: wildcards fill a level, ``#`` is the last one."""
    if not subject:
        return "filter is empty"
    levels = subject.split("/")
    for position, level in enumerate(levels):
        if "#" in level and (level != "#" or position != len(levels) - 1):
            return f"filter {subject!r}: '#' must be the whole last level"
        if "+" in level and level != "+":
            return f"filter {subject!r}: '+' must be a whole level"
    return None


def matches(subject: str, topic: str) -> bool:
    """Whether the filter takes the topic; a leading wildcard does not take ``$…`` topics."""
    index: TopicIndex[bool] = TopicIndex([(subject, True)])
    return bool(index.find(topic))


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
        """Values of all filters that take ``topic``, each once, in the order of the trie."""
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
