"""`fanfold`: the table of verbs, and the one place where errors become a sentence."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException
from typer.main import get_command_name
from typer.models import CommandInfo

from fanfold import __version__, completion
from fanfold.common.errors import FAILED, INTERRUPTED, INVALID, UserError
from fanfold.common.output import err
from fanfold.common.stdout import StdoutError, checked_stdout

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 invalid input, "
    "3 something needed is missing, 4 refused by the other side, 130 interrupted."
)
HELP = (
    "A hardware profile in, an AWS IoT Greengrass V1 group out; and a core that runs it.\n\n"
    "Start with [bold]fanfold doctor[/bold], [bold]fanfold plan demo[/bold], "
    "[bold]fanfold demo[/bold]. Every verb's --help has an example; "
    "--json prints what a program can read.\n\n"
    f"{EXIT_CODES}"
)
# Modules below fanfold.verbs, in the order of a first day with Fanfold.
VERBS = (
    "doctor", "demo", "init", "plan", "provision", "devcloud", "model", "deploy", "diff",
    "rollback", "import_", "migrate", "run", "status", "send", "publish", "results", "trace",
    "history", "alerts", "canary", "user", "audit", "logs", "drain", "stop", "bench", "tune",
    "detect", "pool", "replay", "rollout", "sites", "bundle",
)  # fmt: skip
MODULE_OF = {"import": "import_", "destroy": "deploy"}
"""Verbs that are not called like their module."""


def build_app(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """Every verb's module has `register(app)`; without one, the verbs by their names alone."""
    app = typer.Typer(
        name="fanfold",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for verb in verbs:
        importlib.import_module(f"fanfold.verbs.{verb}").register(app)
    if not verbs:
        _only_name(app)
    _teach(app)
    return app


def _only_name(app: typer.Typer) -> None:
    """Each verb with the first line of its help, for a list of them: nobody calls one."""
    for name, verb in completion.words()["verbs"].items():
        app.command(name, help=verb["line"])(_nothing)


def _nothing() -> None:
    """In place of a verb that was not imported."""


def _teach(app: typer.Typer) -> None:
    """Below the help of every verb, what its exit code says."""
    for command in app.registered_commands:
        command.epilog = EXIT_CODES
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _teach(group.typer_instance)


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        typer.echo(f"fanfold {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. FANFOLD_DEBUG=1 shows tracebacks."""
    given = sys.argv[1:] if arguments is None else arguments
    if completion.VARIABLE in os.environ and (words := completion.answer()) is not None:
        typer.echo(words)
        return 0
    try:
        with checked_stdout():
            app = build_app(_needed(given))
            _refuse_unknown(app, given)
            code = app(
                args=None if arguments is None else list(arguments),
                prog_name="fanfold",
                standalone_mode=False,
            )
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.Exit as stop:
        return stop.exit_code
    except StdoutError as error:  # `fanfold results | head`: the reader has what it wanted
        return 0 if error.reader_left else _report(error, str(error), FAILED)
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else 0


def _needed(arguments: Sequence[str]) -> Sequence[str]:
    """The module of the verb that is meant, if one is: all take a second of CPU to import."""
    verb = arguments[0] if arguments else ""
    module = MODULE_OF.get(verb, verb)
    return (module,) if module in VERBS else ()


def _refuse_unknown(app: typer.Typer, arguments: Sequence[str], of: str = "fanfold") -> None:
    """A verb that does not exist, of a verb's verbs too, with the one that was meant.

    Raises UserError.
    """
    verb = arguments[0] if arguments and not arguments[0].startswith("-") else None
    groups = {str(group.name): group.typer_instance for group in app.registered_groups}
    known = {get_command_name(c.name or _called(c)) for c in app.registered_commands}
    known |= groups.keys()
    if verb is None:
        return
    if verb in known:
        if (inner := groups.get(verb)) is not None:
            _refuse_unknown(inner, arguments[1:], f"{of} {verb}")
        return
    import difflib

    near = difflib.get_close_matches(verb, sorted(known), n=3, cutoff=0.5)
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    whose = of.removeprefix("fanfold").strip()
    what = f"is no verb of {whose}" if whose else "is no verb"
    raise UserError(f"{verb!r} {what}{meant} `{of} --help` lists them.", INVALID)


def _called(command: CommandInfo) -> str:
    """By its function, as typer names a command that has no name of its own."""
    return getattr(command.callback, "__name__", "")


def _explain(error: Exception) -> int:
    """A sentence on stderr and the exit code; what nobody foresaw says where to look."""
    match error:
        case UserError():
            return _report(error, str(error), error.exit_code)
        case TyperException():
            return _report(error, _usage(error), INVALID)
        case _ if findings := _findings(error):
            return _report(error, findings, INVALID)
        case OSError(filename=str() as name, strerror=str() as why):  # a file that a person named
            return _report(error, f"{name}: {why} (FANFOLD_DEBUG=1 shows where)", INVALID)
        case _:
            said = f"{type(error).__name__}: {error} (FANFOLD_DEBUG=1 shows where)"
            return _report(error, said, FAILED)


def _findings(error: Exception) -> str:
    """Of the planner's InvalidInput. Who has not imported the planner, half a second, met none."""
    planner = sys.modules.get("infra.planning.findings")
    if planner is None or not isinstance(error, planner.InvalidInput):
        return ""
    return "\n".join(map(str, error.findings))


def _usage(error: TyperException) -> str:
    """What typer says; for an option that resembles none, where they are listed."""
    said = error.format_message().replace("Value error, ", "")  # pydantic's word for it
    if not said.startswith("No such option") or "(" in said:
        return said
    context = getattr(error, "ctx", None)
    return f"{said}. `{context.command_path if context else 'fanfold'} --help` lists them."


def _report(error: Exception, message: str, exit_code: int) -> int:
    if os.environ.get("FANFOLD_DEBUG"):
        raise error
    if message:  # empty where the help was printed because no arguments were given
        err.print(f"fanfold: {message}", style="red", markup=False)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
