"""What never changes while moto's server runs, and what it looks up or makes anew.

For every request: the names of its services, from the disk, and of what a service answers, from
its class. For every service: botocore's list of all services, from four hundred folders, and code
that builds an address of each of its routes, which nobody asks for here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from devcloud.plugin.plain import as_moto_wrote


def install() -> None:
    from moto import backends
    from moto.core import loaders, responses, utils
    from werkzeug.routing import Rule

    names = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: names
    known = getattr(responses.method_names_from_class, "__wrapped__", None)
    responses.method_names_from_class = functools.cache(known or responses.method_names_from_class)
    loader = loaders.create_loader()
    utils.create_loader = lambda: loader
    Rule._compile_builder = _when_asked(as_moto_wrote(Rule, "_compile_builder"))


def _when_asked(compiled: Callable[[Any, bool], Callable[..., Any]]) -> Callable[..., Any]:
    def compile_builder(rule: Any, append_unknown: bool = True) -> Callable[..., Any]:
        made: list[Callable[..., Any]] = []

        def build(self: Any, **values: Any) -> Any:  # werkzeug makes it a method of the rule
            if not made:
                made.append(compiled(rule, append_unknown))
            return made[0](self, **values)

        return build

    return compile_builder
