"""Where images lie and records go: a folder or `s3://bucket/prefix`, with one interface.

Nothing is ever overwritten by `write_once`: on S3 by `If-None-Match: *`, in a folder by a hard
link, which fails where the name exists. So of two writers the first wins and the other learns it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from edgecore.disk.sync import sync_folder
from replay.errors import ReplayError
from replay.sorting import sorted_on_disk


class Entry(NamedTuple):
    """One object: `name` below the place, and `mark`, which changes when its content does."""

    name: str
    size_bytes: int
    mark: str


class Place(Protocol):
    """`url` names it on the command line; every name is below it."""

    url: str

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Everything below `prefix`, in the order of the names' bytes, streamed."""

    def read(self, name: str) -> bytes:
        """Raises `FileNotFoundError`."""

    def exists(self, name: str) -> bool: ...

    def write_once(self, name: str, content: bytes) -> bool:
        """False: it was there before, and is as it was."""

    def put_file(self, name: str, path: Path) -> None:
        """Take a whole file as `name`, in one step; another of that name is replaced."""

    def remove(self, name: str) -> None: ...

    def on_disk(self, name: str) -> str | None:
        """A path that can be read as it is; None: `read` it."""


class Folder:
    """A folder of this machine, or one that every node sees under the same path."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.url = str(self.path)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Raises `ReplayError` for what cannot be listed."""
        yield from _walk(str(self.path), prefix.rstrip("/"), ())

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def write_once(self, name: str, content: bytes) -> bool:
        with self._beside(name) as (partial, final):
            partial.write_bytes(content)
            _sync(partial)
            try:
                os.link(partial, final)
            except FileExistsError:
                return False
            sync_folder(final.parent)
        return True

    def put_file(self, name: str, path: Path) -> None:
        with self._beside(name) as (partial, final):
            with path.open("rb") as source, partial.open("wb") as out:
                while chunk := source.read(1 << 20):
                    out.write(chunk)
            _sync(partial)
            partial.replace(final)
            sync_folder(final.parent)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def on_disk(self, name: str) -> str | None:
        return f"{self.url}/{name}" if name else self.url

    @contextlib.contextmanager
    def _beside(self, name: str) -> Iterator[tuple[Path, Path]]:
        """A file to write, and where it belongs. Raises `ReplayError` for what the disk refuses."""
        final, partial = self.path / name, ""
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(prefix=".partial-", dir=final.parent)
            os.close(handle)
            yield Path(partial), final
        except OSError as error:
            raise ReplayError(
                f"{self.url}: {name} cannot be written: {error.strerror or error}. Make room or "
                "give the rights, and start the same command again: what is written stays"
            ) from error
        finally:
            if partial:
                Path(partial).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _walk(root: str, below: str, inside_of: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
    """As S3 lists: a folder sorts as its name with a slash behind it. `inside_of`: its parents."""
    folder = f"{root}/{below}"
    try:
        found = Path(folder).stat()
        itself = found.st_dev, found.st_ino
        if itself in inside_of:
            raise ReplayError(f"{folder}: a link to a folder that holds it; take the link away")
        names = sorted_on_disk(
            each.name + ("/" if each.is_dir() else "")
            for each in os.scandir(folder)
            if not each.name.startswith(".")
        )
        for name in names:
            inside = f"{below}/{name}" if below else name
            if name.endswith("/"):
                yield from _walk(root, inside.rstrip("/"), (*inside_of, itself))
            else:
                yield _entry(root, inside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ReplayError(
            f"{folder}: cannot be listed: {error.strerror or error}; give the right to read it"
        ) from error


def _entry(root: str, name: str) -> Entry:
    try:
        found = Path(root, name).stat()
    except OSError:
        # It was listed, so it gets its record: a link that leads nowhere, a file just deleted.
        return Entry(name, 0, "")
    return Entry(name, found.st_size, f"{found.st_mtime_ns:x}")
