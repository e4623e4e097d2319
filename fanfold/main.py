"""`fanfold`: the entry point. Errors of the user's end here, in one sentence."""

from __future__ import annotations

import os
import sys

import click
import typer

from fanfold import __version__
from fanfold.errors import FAILED, INTERRUPTED, INVALID, UserError
from fanfold.output import err
from fanfold.verbs import (
    cloud,
    demo,
    devcloud,
    doctor,
    logs,
    model,
    plan,
    results,
    run,
    send,
    status,
    stop,
)

app = typer.Typer(
    name="fanfold",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="A hardware profile in, an AWS IoT Greengrass V1 group out; and a core that runs it.\n\n"
    "Start with **fanfold plan demo**, then **fanfold demo**. Every verb has `--help` "
    "with an example; `--json` prints what a program can read.\n\n"
    "Exit codes: 0 done, 1 failed, 2 invalid input (or changes found, for diff), 3 something needed "
    "is missing, 4 refused by the other side, 130 interrupted.",
)

for module in (plan, run, send, results, status, stop, logs, doctor, demo):
    module.register(app)
cloud.register(app)
app.add_typer(devcloud.app, name="devcloud")
app.add_typer(model.app, name="model")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fanfold {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """The command line's own options."""


def main() -> int:
    """Run the command line; returns the exit code. FANFOLD_DEBUG=1 shows tracebacks."""
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        return _say(error, str(error), error.exit_code)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return INVALID
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort; the traceback is one variable away
        return _say(error, f"{type(error).__name__}: {error} (FANFOLD_DEBUG=1 shows where)", FAILED)
    return code if isinstance(code, int) else 0


def _say(error: Exception, message: str, exit_code: int) -> int:
    if os.environ.get("FANFOLD_DEBUG"):
        raise error
    err.print(f"fanfold: {message}", style="red", markup=False)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
