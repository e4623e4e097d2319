"""The names of moto's services, which its server lists from the disk for every request."""

from __future__ import annotations


def install() -> None:
    from moto import backends

    names = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: names
