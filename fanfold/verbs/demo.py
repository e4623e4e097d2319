"""`fanfold demo`: the whole loop on this machine, with real parts."""

from __future__ import annotations

from enum import Enum

import typer

from fanfold.common import output
from fanfold.demo.iot import IotDemo
from fanfold.demo.run import Demo


class Target(str, Enum):
    """Which way to the device is shown."""

    v1 = "v1"
    iot = "iot"


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    images: int = typer.Option(60, min=2, help="How many photographs, in both runs."),
    target: Target = typer.Option(
        Target.v1, help="iot: by AWS IoT jobs, to a core with nothing but a certificate."
    ),
    as_json: bool = typer.Option(False, "--json", help="Also print what was measured as JSON."),
) -> None:
    """Profile → group → cdk deploy → core → photographs in order → model swapped.

    Takes about two minutes; needs no account. Everything it starts is stopped again.
    Example: fanfold demo --images 20
    """
    story = IotDemo(images) if target is Target.iot else Demo(images)
    measured = story.run()
    if as_json:
        output.print_json(measured)
