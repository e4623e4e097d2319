"""`fanfold publish TOPIC`: a message into a running core, as the cloud or as one of its devices."""

from __future__ import annotations

from pathlib import Path

import typer

from fanfold.common import output
from fanfold.common.errors import MISSING, UserError
from fanfold.localcore import running


def register(app: typer.Typer) -> None:
    app.command("publish")(publish)


def publish(
    topic: str = typer.Argument(help="An MQTT topic, without wildcards."),
    message: str = typer.Argument("{}", help="The payload, text of at most 128 KB."),
    source: str | None = typer.Option(
        None, "--as", help="`cloud`, or the name of a device of the group. Default: the console."
    ),
    file: Path | None = typer.Option(None, help="Send the text of this file instead."),
    site: str | None = typer.Option(
        None, help="Site whose core is meant; needed only if several cores run here."
    ),
    state: Path | None = typer.Option(
        None, help="State folder of a core that was started with `python -m edgecore`."
    ),
) -> None:
    """Publish one message in the group that runs here.

    Its subscriptions decide who gets it: `--as cloud` reaches what subscribes to
    the cloud, also where this core has no connection to AWS IoT.

    Exit code 1: no subscription takes the topic; 3: no core runs.
    Example: fanfold publish --as cloud line3/commands '{"speed": 2}'
    """
    core = running.read(state) if state is not None else running.find(site)
    if core is None:
        raise UserError(f"no core runs with the state folder {state}", MISSING)
    body = {"topic": topic, "payload": _text(file) if file is not None else message, "as": source}
    output.note(core.act("publish", body))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text: {error}", MISSING) from error
