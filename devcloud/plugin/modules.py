"""What never changes while moto's server runs, and what it looks up anew for every request: the
names of its services, from the disk, and of what a service answers, from its class."""

from __future__ import annotations

import functools


def install() -> None:
    from moto import backends
    from moto.core import responses

    names = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: names
    known = getattr(responses.method_names_from_class, "__wrapped__", None)
    responses.method_names_from_class = functools.cache(known or responses.method_names_from_class)
