"""Topic names and filters: what is well formed, what matches, what a device may use."""

from __future__ import annotations

from edgecore.mqtt.codec import MAX_TOPIC_BYTES

MAX_SLASHES = 7
"""Greengrass V1 quotas page: a topic has at most 7 forward slashes."""
_SHADOW_SLASHES = MAX_SLASHES + 3  # AWS IoT does not count the reserved prefix's slashes


def topic_problem(topic: str, thing_name: str) -> str | None:
    """Why ``thing_name`` may not publish on ``topic``, or None."""
    if not topic:
        return "the topic is empty"
    if "+" in topic or "#" in topic:
        return f"the topic {topic!r} holds a wildcard [MQTT-3.3.2-2]"
    return _size_problem(topic) or _reserved_problem(topic, thing_name)


def filter_problem(topic_filter: str, thing_name: str) -> str | None:
    """Why ``thing_name`` may not subscribe to ``topic_filter``, or None."""
    if not topic_filter:
        return "the topic filter is empty [MQTT-4.7.3-1]"
    levels = topic_filter.split("/")
    for position, level in enumerate(levels):
        if level == "#" and position != len(levels) - 1:
            return f"'#' is not the last level of {topic_filter!r} [MQTT-4.7.1-2]"
        if len(level) > 1 and ("#" in level or "+" in level):
            return f"a wildcard shares a level in {topic_filter!r} [MQTT-4.7.1-3]"
    return _size_problem(topic_filter) or _reserved_problem(topic_filter, thing_name)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 4.7: wildcards never match a first level that starts with ``$``."""
    if topic_filter == topic:
        return True
    wanted, given = topic_filter.split("/"), topic.split("/")
    if given[0].startswith("$") and wanted[0] != given[0]:
        return False
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(given) or level not in ("+", given[position]):
            return False
    return len(wanted) == len(given)


def _size_problem(topic: str) -> str | None:
    size_bytes, slashes = len(topic.encode()), topic.count("/")
    if size_bytes > MAX_TOPIC_BYTES:
        return f"a topic of {size_bytes} bytes; limit {MAX_TOPIC_BYTES}"
    if slashes > (_SHADOW_SLASHES if topic.startswith("$") else MAX_SLASHES):
        return f"{topic!r} has {slashes} slashes; limit {MAX_SLASHES}"
    return None


def _reserved_problem(topic: str, thing_name: str) -> str | None:
    """``$`` belongs to the service; a device reaches only its own shadow there."""
    if topic.startswith("$") and not topic.startswith(f"$aws/things/{thing_name}/shadow/"):
        return f"{topic!r} is reserved; {thing_name!r} may use only its own shadow below '$'"
    return None
