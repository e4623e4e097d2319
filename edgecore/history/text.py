"""Words of others (labels, names, details), made safe to show. Pure."""

from __future__ import annotations

MAX_CHARS = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at the start of a cell."""


def visible(text: str) -> str:
    """Control characters, line breaks and marks that reorder text, each as its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def bounded(value: object) -> str:
    """A string that SQLite and JSON take, of ``MAX_CHARS`` at most; "" for anything else."""
    if not value or not isinstance(value, str):
        return ""
    if len(value) <= MAX_CHARS and value.isascii() and "\0" not in value:
        return value
    return value[:MAX_CHARS].replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def cell(value: object) -> object:
    """One cell of a CSV file: text is visible, and never a formula."""
    if not isinstance(value, str):
        return "" if value is None else value
    shown = visible(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
