"""An archive listed by its recorded results: the images that records name, and no others.

A year of results is some hundred times fewer objects than its images, and a partition of them
(`day=2026-11-29/`) is a day of the archive.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from replay.compare import Parsed, batches, no_batch, no_records
from replay.place import Entry, Place
from replay.sorting import sorted_on_disk


def recorded(results: Place, parsed: Parsed) -> Iterator[Entry]:
    """Each image once, in the order of the names' bytes. Raises `ReplayError`.

    The mark is the SHA-256 that its worker saw, where the record has one.
    """
    before = ""
    for line in sorted_on_disk(_lines(results, parsed)):
        name, _, mark = line.partition("\0")
        if name != before:
            yield Entry(name, 0, mark)
        before = name
    if not before:
        raise no_records(results)


def _lines(results: Place, parsed: Parsed) -> Iterator[str]:
    """Name and mark, which sort as the names do: no name has a NUL."""
    for object_name, content in batches(results):
        url = f"{results.url}/{object_name}"
        try:
            found = list(parsed(url, content))
            for _, record in found:
                if record.get("file") and record.get("status") not in (None, "gap"):
                    yield f"{_below(record['file'])}\0{record.get('sha256') or ''}"
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise no_batch(url, error) from error


def _below(name: str) -> str:
    if name.startswith(("/", "../")) or posixpath.normpath(name) != name:
        raise ValueError(f"{name!r} does not lie below the images")
    return name
