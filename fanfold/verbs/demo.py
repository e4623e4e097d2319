"""`fanfold demo`: the whole loop on this machine, with real parts."""

from __future__ import annotations

import typer

from fanfold.common import output
from fanfold.demo.run import Demo


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    images: int = typer.Option(60, min=2, help="How many photographs, in both runs."),
    as_json: bool = typer.Option(False, "--json", help="Also print what was measured as JSON."),
) -> None:
    """Profile → group → cdk deploy → core → photographs in order → model swapped.

    Takes about two minutes; needs no account. Everything it starts is stopped again.
    Example: fanfold demo --images 20
    """
    measured = Demo(images).run()
    if as_json:
        output.print_json(measured)
