"""model.json as people write it: comments, trailing commas and a byte order mark allowed."""

from __future__ import annotations

import re
from typing import Any

from lambdas.model.errors import ModelError
from lambdas.model.spec import MANIFEST, read_json

#: Text first, so that what looks like a comment inside it stays.
_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:\\.|[^"\\\n])*")|,(?=\s*[}\]])')


def plain(text: str) -> str:
    """JSON without comments and trailing commas; lines stay where they are."""

    def kept(match: re.Match[str]) -> str:
        token = match.group()
        return token if token.startswith('"') else "\n" * token.count("\n")

    return _TRAILING.sub(lambda m: m.group(1) or "", _TOKEN.sub(kept, text))


def read(content: bytes) -> dict[str, Any]:
    """The object in a model.json that somebody wrote. Raises `ModelError`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            raise ModelError(f"{MANIFEST} is not UTF-8: save it as UTF-8") from None
        text = content.decode("utf-16")
    return read_json(plain(text).encode())
