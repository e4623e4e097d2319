"""Topics and filters as AWS IoT takes them; limits from its quotas page."""

from __future__ import annotations

LONGEST_BYTES = 256
MOST_SLASHES = 7
FILTERS_PER_SUBSCRIBE = 8
RULE_PREFIX = "$aws/rules/"


def matches(pattern: str, topic: str) -> bool:
    """MQTT's rule but for one case: `a/#` does not match `a`; and `+`, `#` match no `$…`."""
    if topic.startswith("$") and not pattern.startswith("$"):
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return position < len(levels)
        if position >= len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def is_topic(topic: str) -> bool:
    """Whether a message may be published there."""
    return bool(topic) and not set("+#\0") & set(topic) and within_limits(topic)


def is_filter(pattern: str) -> bool:
    levels = pattern.split("/")
    whole = all(level in ("+", "#") or not set("+#\0") & set(level) for level in levels)
    return bool(pattern) and whole and "#" not in levels[:-1] and within_limits(pattern)


def within_limits(topic: str) -> bool:
    """Basic Ingest's own first levels are not counted."""
    if topic.startswith(RULE_PREFIX):
        topic = topic.removeprefix(RULE_PREFIX).partition("/")[2]
    elif topic.startswith("$share/"):
        topic = topic.split("/", 2)[-1]
    return len(topic.encode()) <= LONGEST_BYTES and topic.count("/") <= MOST_SLASHES
