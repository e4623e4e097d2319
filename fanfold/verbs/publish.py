"""`fanfold publish TOPIC`: a message into a running core, as the cloud or as one of its devices."""

from __future__ import annotations

from pathlib import Path

import typer

from fanfold.common import output
from fanfold.common.arguments import SITE_OPTION, STATE_FOLDER
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.localcore import running
from fanfold.localcore.naming import site_and_words

MAX_WORDS = 2


def register(app: typer.Typer) -> None:
    app.command("publish")(publish)


def publish(
    words: list[str] = typer.Argument(
        metavar="[SITE] TOPIC [MESSAGE]",
        help="An MQTT topic, without wildcards; text of at most 128 KB, `{}` without it.",
    ),
    source: str | None = typer.Option(
        None, "--as", help="`cloud`, or the name of a device of the group. Default: the console."
    ),
    file: Path | None = typer.Option(None, help="Send the text of this file instead."),
    site: str | None = SITE_OPTION,
    state: Path | None = STATE_FOLDER,
    as_json: bool = typer.Option(False, "--json", help="What was published, as one JSON object."),
) -> None:
    """Publish one message in the group that runs here.

    Its subscriptions decide who gets it: `--as cloud` reaches what subscribes to
    the cloud, also where this core has no connection to AWS IoT.

    Exit code 1: no subscription takes the topic; 3: no core runs.
    Example: fanfold publish demo --as cloud line3/commands '{"speed": 2}'
    """
    site, (topic, message) = _site_topic_message(words, site)
    core = running.read(state) if state is not None else running.find(site)
    if core is None:
        raise UserError(f"no core runs with the state folder {state}", MISSING)
    body = {"topic": topic, "payload": _text(file) if file is not None else message, "as": source}
    said = core.act("publish", body)
    if as_json:
        output.print_json({"v": 1, "topic": topic, "message": said})
    else:
        output.note(said)


def _site_topic_message(words: list[str], site: str | None) -> tuple[str | None, tuple[str, str]]:
    """A topic may have a site's name: alone it is the topic. Raises UserError."""
    rest = words
    if len(words) > 1:
        site, rest = site_and_words(words, site)
    if len(rest) > MAX_WORDS:
        raise UserError(f"{rest[2]!r} is too much: a topic and one message, in quotes", INVALID)
    return site, (rest[0], rest[1] if len(rest) > 1 else "{}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text: {error}", MISSING) from error
