"""Folders of a volume that are walked to once, for as long as a group of images needs them."""

from __future__ import annotations

import os

from lambdas.common.paths import open_folder_in, split_inside


class Folders:
    """Owned by one thread. Nothing here follows a symbolic link: each folder is opened relative to
    the one above it, and what is open stays the folder that was walked to.

    Close it with the group: a descriptor that stays open keeps a volume from being unmounted.
    """

    def __init__(self, root: str, most: int = 0) -> None:
        """`most`: where more would be open all are closed first; a descriptor is then good until
        the next is asked for. 0: no bound."""
        self._root = root
        self._most = most
        self._open: dict[str, int] = {}

    def open(self, relative: str, make: bool = False) -> int:
        """A descriptor that stays ours; "" is the volume itself. `make`: folders that are not there
        are made. Raises `PathError`, and `OSError` for the machine's troubles."""
        found = self._open.get(relative)
        if found is None:
            if relative:
                split_inside(relative)
            if self._most and len(self._open) >= self._most:
                self.close()
            found = self._walk(relative, make)
        return found

    def _walk(self, relative: str, make: bool) -> int:
        found = self._open.get(relative)
        if found is not None:
            return found
        if relative:
            above, _, name = relative.rpartition("/")
            found = open_folder_in(self._walk(above, make), name, relative, make)
        else:
            found = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open[relative] = found
        return found

    def close(self) -> None:
        folders, self._open = self._open, {}
        for descriptor in folders.values():
            os.close(descriptor)
