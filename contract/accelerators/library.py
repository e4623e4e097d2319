"""Calls into a C library of the driver, by ctypes."""

from __future__ import annotations

import ctypes
from typing import Any


class DriverError(Exception):
    """A function of the driver that failed; `code` is the library's own."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} answers {code}")
        self.name, self.code = name, code


class Library:
    """A shared library whose functions return 0, or an error code."""

    def __init__(self, name: str) -> None:
        """Raises `OSError` where it is not installed."""
        self._library = ctypes.CDLL(name)

    def has(self, name: str) -> bool:
        return hasattr(self._library, name)

    def call(self, name: str, *arguments: Any) -> None:
        """Raises `DriverError`; also where this version of the library lacks the function."""
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise DriverError(name, -1) from None
        code = function(*arguments)
        if code:
            raise DriverError(name, code)

    def number(self, name: str, *before: Any) -> int:
        """What the function writes to its last argument, an unsigned int."""
        value = ctypes.c_uint()
        self.call(name, *before, ctypes.byref(value))
        return value.value

    def text(self, name: str, *before: Any, size: int = 96) -> str:
        """What the function writes to a buffer, given with its size."""
        buffer = ctypes.create_string_buffer(size)
        self.call(name, *before, buffer, ctypes.c_uint(size))
        return buffer.value.decode("utf-8", "replace")


def numbers(library: Library, name: str, *before: Any) -> tuple[int, int]:
    """What the function writes to its last two arguments."""
    first, second = ctypes.c_uint(), ctypes.c_uint()
    library.call(name, *before, ctypes.byref(first), ctypes.byref(second))
    return first.value, second.value
