"""How deep what people hand in may be nested: told from the text, before a parser takes its time.

A YAML parser needs the square of the depth, a minute for 2,000 lists in one another; Python's
JSON reader raises RecursionError, which is no ValueError.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 100
"""The deepest of our own files has 8, of templates some 30."""
TOO_DEEP = f"lists and objects are nested more than {MAX_DEPTH} deep"

_TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|(?:^|(?<=\s))#[^\n]*|[\[{]|[\]}]', re.MULTILINE
)


def too_deep(text: str) -> bool:
    """By brackets that are neither quoted nor in a YAML comment; indentation is not counted."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token[0] in "]}":
            depth = max(0, depth - 1)
    return False


def json_of(text: str | bytes) -> Any:
    """``json.loads`` of what people hand in. Raises ValueError, also where it is too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
