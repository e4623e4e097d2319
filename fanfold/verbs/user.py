"""`fanfold user`: who may look at a core over the network, and do what there."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from edgecore.people.roles import role_of
from edgecore.people.sessions import MAX_TOKEN_DAYS, user_json
from fanfold.common import output
from fanfold.common.arguments import ONLY_SITE, STATE_FOLDER
from fanfold.localcore.people import PeopleOfCore, new_password, people_of, site_and_name


class RoleWord(str, Enum):
    """What a user may do."""

    viewer = "viewer"
    operator = "operator"
    admin = "admin"


_WORDS = typer.Argument(
    metavar="[SITE] NAME", help="The user's name, after its site where there are several."
)
_FILE = typer.Option(None, help="Take the password from this file instead of asking for it.")
_ROLE = typer.Option(help="viewer reads, operator acts, admin manages users.")
_JSON = typer.Option(False, "--json", help="The user as it is now, as one JSON object.")


def register(app: typer.Typer) -> None:
    user = typer.Typer(
        no_args_is_help=True,
        help="Users of a core's dashboard on the local network (fanfold run --listen).",
    )
    for verb in (add, role, passwd, token, remove):
        user.command(verb.__name__)(verb)
    user.command("sign-out")(sign_out)
    user.command("list")(list_users)
    app.add_typer(user, name="user")


def add(
    words: list[str] = _WORDS,
    role: RoleWord = _ROLE,
    password_file: Path | None = _FILE,
    no_password: bool = typer.Option(
        False, "--no-password", help="For one whom a trusted proxy signs in (--trust-header)."
    ),
    state: Path | None = STATE_FOLDER,
    as_json: bool = _JSON,
) -> None:
    """Add a user; the password is asked for, or read from stdin.

    Example: fanfold user add demo ann --role operator
    """
    site, name = site_and_name(words)
    at = people_of(site, state)
    password = None if no_password else new_password(password_file)
    detail = {"name": name, "role": role.value}
    at.do("user add", detail, lambda: at.users.add(name, role_of(role.value), password))
    _changed(at, name, f"added {name} as {role.value}", as_json=as_json)


def role(
    words: list[str] = _WORDS,
    role: RoleWord = _ROLE,
    state: Path | None = STATE_FOLDER,
    as_json: bool = _JSON,
) -> None:
    """Give a user another role; ends what the user has open.

    Example: fanfold user role demo ann --role admin
    """
    site, name = site_and_name(words)
    at, detail = people_of(site, state), {"name": name, "role": role.value}
    at.do("user role", detail, lambda: at.users.set_role(name, role_of(role.value)))
    said = f"{name} is {role.value} now, and signed out everywhere"
    _changed(at, name, said, as_json=as_json)


def passwd(
    words: list[str] = _WORDS,
    password_file: Path | None = _FILE,
    state: Path | None = STATE_FOLDER,
    as_json: bool = _JSON,
) -> None:
    """Give a user another password; ends what the user has open.

    Example: fanfold user passwd demo ann
    """
    site, name = site_and_name(words)
    at = people_of(site, state)
    at.user(name)  # before a password is asked for
    password = new_password(password_file)
    at.do("user passwd", {"name": name}, lambda: at.users.set_password(name, password))
    said = f"{name} has a new password, and is signed out everywhere"
    _changed(at, name, said, as_json=as_json)


def token(
    words: list[str] = _WORDS,
    days: float = typer.Option(365, min=1, max=MAX_TOKEN_DAYS, help="How long it is good for."),
    state: Path | None = STATE_FOLDER,
    as_json: bool = typer.Option(False, "--json", help="With the user, as one JSON object."),
) -> None:
    """Print a token for a program (`Authorization: Bearer …`), with this user's rights.

    It is shown once, and ends with `sign-out`, a new role or a new password.
    Example: fanfold user token demo prometheus --days 365
    """
    site, name = site_and_name(words)
    at = people_of(site, state)
    user = at.user(name)
    made = at.do(
        "user token", {"name": name, "days": days},
        lambda: at.sessions.open(user, kind="token", days=days, address="command line"),
    )  # fmt: skip
    if as_json:
        output.print_json({"v": 1, "token": made, "user": _now(at, name)})
    else:
        output.line(made)


def sign_out(
    words: list[str] = _WORDS,
    state: Path | None = STATE_FOLDER,
    as_json: bool = _JSON,
) -> None:
    """End every session and token of a user.

    Example: fanfold user sign-out demo ann
    """
    site, name = site_and_name(words)
    at = people_of(site, state)
    at.do("user sign-out", {"name": name}, lambda: at.users.sign_out(name))
    _changed(at, name, f"{name} is signed out everywhere", as_json=as_json)


def remove(
    words: list[str] = _WORDS,
    state: Path | None = STATE_FOLDER,
    as_json: bool = typer.Option(False, "--json", help="That there is none, as one JSON object."),
) -> None:
    """Remove a user; what the user has open ends at once.

    Example: fanfold user remove demo ann
    """
    site, name = site_and_name(words)
    at = people_of(site, state)
    at.do("user remove", {"name": name}, lambda: at.users.remove(name))
    _changed(at, name, f"removed {name}", as_json=as_json)


def _changed(at: PeopleOfCore, name: str, said: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"v": 1, "user": _now(at, name)})
    output.note(said)


def _now(at: PeopleOfCore, name: str) -> dict[str, Any] | None:
    """None: there is no such user any more."""
    found = [user for user in at.look(at.users.all) if user.name == name]
    return user_json(found[0], at.sessions) if found else None


def list_users(
    site: str | None = ONLY_SITE,
    state: Path | None = STATE_FOLDER,
    as_json: bool = typer.Option(False, "--json", help="With every session, as one JSON object."),
) -> None:
    """List users with their roles and what they have open.

    Example: fanfold user list demo
    """
    at = people_of(site, state)
    found = [user_json(u, at.sessions) for u in at.look(at.users.all)]
    if as_json:
        output.print_json({"v": 1, "users": found})
        return
    if not found:
        whose = f"{site} NAME" if site else "NAME"
        output.note(f"no users. Add one: fanfold user add {whose} --role admin")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("user", "role", "signs in by", "browsers", "tokens", "since"):
        table.add_column(column)
    for user in found:
        kinds = [s["kind"] for s in user["sessions"]]
        since = time.strftime("%Y-%m-%d", time.localtime(user["since"]))
        by = "password" if user["password"] else "proxy"
        counts = str(kinds.count("browser")), str(kinds.count("token"))
        table.add_row(*map(Text, (user["name"], user["role"], by, *counts, since)))
    output.out.print(table)
