"""What a person adds to a source on the command line: one pair of options for all who read."""

from __future__ import annotations

import typer

from fanfold.common.errors import INVALID, UserError

PARAMETER = typer.Option(None, help="NAME=VALUE of a parameter of the template; repeatable.")
IMPORT_VALUE = typer.Option(
    None, help="NAME=VALUE of what another stack exports (Fn::ImportValue); repeatable."
)


def pairs(given: list[str] | None) -> dict[str, str]:
    """Raises UserError for what is not NAME=VALUE."""
    found = {}
    for text in given or []:
        # An export's name may hold a colon, and a value an equals sign.
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"{text!r} is not NAME=VALUE", INVALID)
        found[name] = value
    return found
