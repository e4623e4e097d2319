"""From a URL to the place that it names."""

from __future__ import annotations

from pathlib import Path

from replay.errors import ReplayError
from replay.place import Folder, Place


def place_of(url: str) -> Place:
    """`s3://bucket/prefix` or a folder. Raises `ReplayError` for another scheme."""
    if url.startswith("s3://"):
        from replay.s3 import Bucket

        return Bucket.of(url)
    if "://" in url:
        raise ReplayError(f"{url}: neither a folder nor s3://bucket/prefix")
    return Folder(Path(url))
