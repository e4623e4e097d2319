"""What `fanfold user` and `fanfold audit` print as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from fanfold.reference.answer import Answer, Versioned


class UserSession(Answer):
    kind: Literal["browser", "token"]
    since: float
    until: float
    address: str = Field(alias="from", description="Where it was opened.")


class UserNow(Answer):
    name: str
    role: Literal["viewer", "operator", "admin"]
    password: bool = Field(description="false: a trusted proxy signs this user in.")
    since: float
    sessions: list[UserSession] = Field(description="What is open, the newest first.")


class UsersAnswer(Versioned):
    users: list[UserNow]


class UserAnswer(Versioned):
    user: UserNow | None = Field(description="As it is now; null: there is none any more.")


class UserTokenAnswer(Versioned):
    token: str = Field(description="For `Authorization: Bearer …`; shown this once.")
    user: UserNow


class AuditLine(Versioned):
    """One act a line, the newest first."""

    t: float
    who: str = Field(description="A user; `local:NAME` for this machine's; empty: nobody known.")
    role: str = Field(description="What the user was then; empty: not signed in.")
    address: str = Field(alias="from", description="An address, or `command line`.")
    what: str = Field(description="Method and route, or the verb.")
    result: Literal["done", "failed", "refused"]
    status: int = Field(description="Of HTTP; 0 from the command line.")
    said: str = Field(description="The answer in words.")
    detail: dict[str, Any] = Field(description="What it was about; nothing secret.")


PEOPLE: dict[str, type[BaseModel]] = {
    "audit": AuditLine,
    "user list": UsersAnswer,
    "user token": UserTokenAnswer,
    **dict.fromkeys(
        ("user add", "user passwd", "user remove", "user role", "user sign-out"), UserAnswer
    ),
}
