"""What a device may publish on and subscribe to, and whether a message is for it."""

from __future__ import annotations

import re

from contract import topic_filters

_SHADOW = re.compile(r"\$aws/things/[^/]+/shadow/")


def topic_problem(topic: str, thing_name: str) -> str | None:
    """Why ``thing_name`` may not publish on ``topic``, or None."""
    return topic_filters.topic_problem(topic) or _reserved_problem(topic, thing_name)


def filter_problem(topic_filter: str, thing_name: str) -> str | None:
    """Why ``thing_name`` may not subscribe to ``topic_filter``, or None."""
    # Wildcards aside, a filter is held to the limits of the topics that it takes.
    concrete = topic_filter.replace("+", "x").replace("#", "x")
    return (
        topic_filters.filter_problem(topic_filter)
        or topic_filters.topic_problem(concrete)
        or _reserved_problem(topic_filter, thing_name)
    )


def _reserved_problem(topic: str, thing_name: str) -> str | None:
    """``$`` belongs to the service; a device reaches shadows there.

    Whose shadows is said by the group's subscriptions, as with V1: what a device asks of
    another thing's shadow is routed only where one allows it, and so are the answers.
    """
    if topic.startswith("$") and not _SHADOW.match(topic):
        return f"{topic!r} is reserved; {thing_name!r} may use only shadows below '$'"
    return None
