"""`fanfold demo`: the whole loop on this machine, with real parts."""

from __future__ import annotations

from enum import Enum

import typer

from fanfold.common import output
from fanfold.demo.iot import IotDemo
from fanfold.demo.run import Demo
from fanfold.demo.v2 import V2Demo


class Target(str, Enum):
    """Which way to the device is shown."""

    v1 = "v1"
    iot = "iot"
    v2 = "v2"


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    images: int = typer.Option(60, min=2, help="How many photographs, in both runs."),
    target: Target = typer.Option(
        Target.v1, help="iot: by AWS IoT jobs, with a certificate. v2: as Greengrass V2 components."
    ),
    as_json: bool = typer.Option(False, "--json", help="Also print what was measured as JSON."),
) -> None:
    """Profile → group → cdk deploy → core → photographs in order → model swapped.

    Takes about two minutes; needs no account. Everything it starts is stopped again.
    Example: fanfold demo --images 20
    """
    stories: dict[Target, type[Demo]] = {Target.v1: Demo, Target.iot: IotDemo, Target.v2: V2Demo}
    story = stories[target](images)
    measured = story.run()
    if as_json:
        output.print_json(measured)
