"""Changing a core's users from the command line: the same files, the same audit log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from edgecore.people.audit import AuditLog
from edgecore.people.kept_file import KeptFileError
from edgecore.people.passwords import MIN_CHARACTERS
from edgecore.people.sessions import Sessions
from edgecore.people.users import AccountError, User, Users
from fanfold.common.errors import INVALID, MISSING, UserError
from fanfold.common.project import core_state, read_site
from fanfold.localcore.audited import act_of
from fanfold.localcore.naming import is_site, only_site

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PeopleOfCore:
    """``do`` one thing, with its line in the audit log and its mistakes in words."""

    users: Users
    sessions: Sessions
    audit: AuditLog

    def do(self, what: str, detail: dict[str, Any], work: Callable[[], T]) -> T:
        """Raises UserError."""
        try:
            done = work()
            self.audit.add(act_of(what, detail))
        except (ValueError, AccountError) as error:
            raise UserError(str(error), INVALID) from error
        except (OSError, KeptFileError) as error:
            raise UserError(str(error)) from error
        return done

    def user(self, name: str) -> User:
        """Raises UserError where there is none of this name."""
        return self.look(lambda: self.users.require(name))

    def look(self, work: Callable[[], T]) -> T:
        """Reading: not an act. Raises UserError."""
        try:
            return work()
        except AccountError as error:
            raise UserError(str(error), INVALID) from error
        except (OSError, KeptFileError) as error:
            raise UserError(str(error)) from error


def people_of(site: str | None, state: Path | None) -> PeopleOfCore:
    """Of the core of a site, running or not; without a site of the only one there is.

    Raises UserError.
    """
    if state is not None and not state.is_dir():
        raise UserError(f"{state}: no such folder; pass the core's --state", MISSING)
    folder = state or core_state(read_site(site or only_site())[0].name)
    users = Users(folder)
    return PeopleOfCore(users=users, sessions=Sessions(folder, users), audit=AuditLog(folder))


def site_and_name(words: Sequence[str]) -> tuple[str | None, str]:
    """Of `[SITE] NAME`. Raises UserError (exit code 2): there are more words, or no name."""
    if len(words) == 1 and is_site(words[0]):
        raise UserError(f"{words[0]} is a site: put the user's name behind it", INVALID)
    if len(words) > 2:
        raise UserError(f"{' '.join(words)}: a site and one user's name at most", INVALID)
    return (words[0] if len(words) == 2 else None), words[-1]


def new_password(file: Path | None) -> str:
    """From a file, from stdin where nobody types, else asked for twice. Raises UserError."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: cannot be read as text: {error}", MISSING) from error
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip("\r\n")
    prompt = f"Password (at least {MIN_CHARACTERS} characters)"
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))
