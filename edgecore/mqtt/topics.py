"""What a device may publish on and subscribe to, and whether a message is for it."""

from __future__ import annotations

from edgecore.core import topicfilter


def topic_problem(topic: str, thing_name: str) -> str | None:
    """Why ``thing_name`` may not publish on ``topic``, or None."""
    return topicfilter.topic_problem(topic) or _reserved_problem(topic, thing_name)


def filter_problem(topic_filter: str, thing_name: str) -> str | None:
    """Why ``thing_name`` may not subscribe to ``topic_filter``, or None."""
    # Wildcards aside, a filter is held to the limits of the topics that it takes.
    concrete = topic_filter.replace("+", "x").replace("#", "x")
    return (
        topicfilter.filter_problem(topic_filter)
        or topicfilter.topic_problem(concrete)
        or _reserved_problem(topic_filter, thing_name)
    )


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 4.7: wildcards never match a first level that starts with ``$``.

    One filter against one topic; for many filters ``topicfilter.TopicIndex`` is faster.
    """
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


def _reserved_problem(topic: str, thing_name: str) -> str | None:
    """``$`` belongs to the service; a device reaches only its own shadow there."""
    if topic.startswith("$") and not topic.startswith(f"$aws/things/{thing_name}/shadow/"):
        return f"{topic!r} is reserved; {thing_name!r} may use only its own shadow below '$'"
    return None
