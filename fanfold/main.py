"""The `fanfold` command: the table of verbs and the one place where errors become words."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from fanfold import __version__
from fanfold.console import complain
from fanfold.errors import CliError, ExitCode, explain

HELP = """Images fan out over every CPU and GPU of an edge device; results fold back in order.

Start here:  [bold]fanfold doctor[/bold]  ·  [bold]fanfold demo[/bold]  ·  \
[bold]fanfold plan demo[/bold]
"""
# Module below fanfold.verbs, in the order of a first day with Fanfold.
VERBS = (
    "doctor", "demo", "plan", "devcloud", "model", "deploy", "diff", "destroy",
    "run", "status", "send", "results", "logs", "stop",
)  # fmt: skip


def build_app() -> typer.Typer:
    """Every verb module has `register(app)`; importing one must cost nothing heavy."""
    app = typer.Typer(
        name="fanfold",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def options(
        version: bool = typer.Option(False, "--version", help="Print the version and stop."),
    ) -> None:
        if version:
            print(f"fanfold {__version__}")
            raise typer.Exit

    for verb in VERBS:
        importlib.import_module(f"fanfold.verbs.{verb}").register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status of docs/spec/core.md."""
    try:
        status = build_app()(
            args=None if arguments is None else list(arguments),
            prog_name="fanfold",
            standalone_mode=False,
        )
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        return _usage(error)
    except BrokenPipeError:  # `fanfold results | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception as error:
        return _fail(error)
    return int(status or 0)


def _usage(error: TyperException) -> int:
    message = error.format_message()
    if message:  # empty: the help was printed because no arguments were given
        complain(CliError(message, "fanfold --help shows every command"))
    return ExitCode.INVALID


def _fail(error: Exception) -> int:
    if os.environ.get("FANFOLD_DEBUG"):
        raise error
    known = explain(error)
    if known is None:
        name = type(error).__name__
        known = CliError(
            f"a fault in Fanfold itself: {name}: {error}",
            "FANFOLD_DEBUG=1 shows where; please report it",
        )
    complain(known)
    return known.exit_code
