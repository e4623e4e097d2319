"""placeholder so that the entry point imports; replaced below."""

import typer


def register(app: typer.Typer) -> None:
    del app
