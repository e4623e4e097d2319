"""What `fanfold history`, `alerts`, `user` and `audit` print as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from fanfold.reference.answer import Answer, Versioned


class HistoryLabel(Answer):
    label: str
    score: float | None = Field(description="Of its best place in the image.")
    count: int = Field(description="How often it is in the image.")


class HistoryLine(Answer):
    """One image a line. With `--by` a line is a count (`period`, `camera`, `images`, `ok`,
    `failed`, `dropped`, `defects`, `defect_rate`), with `--show events` an event (`t`, `kind`,
    `subject`, `text`, `who`), with `--show labels` a label's count."""

    t: float
    camera: str
    seq: int
    status: Literal["ok", "failed", "dropped"]
    name: str = Field(description="As its sender named it; its id where it came without a file.")
    folder: str
    id: str
    job: str
    label: str = Field(description="The best one; empty: none.")
    score: float | None
    labels: list[HistoryLabel]
    defect: bool
    reason: str
    detail: str
    worker: str
    model: str
    ms: float | None = Field(description="From acceptance to the ordered result.")
    sample: str = Field(description="The rule that kept the image whole; empty: it was not kept.")
    number: int = Field(description="Of this history; grows with each image.")


class AlertNow(Answer):
    rule: str
    state: Literal["waiting", "on"]
    since: float
    text: str
    acknowledged: float | None


class AlertChannel(Answer):
    name: Literal["webhook", "mail", "mqtt"]
    sent: int
    waiting: int
    dropped: int = Field(description="Never sent: too many waited, or for over a day.")
    failures: int = Field(description="Attempts that failed.")
    problem: str | None


class AlertsAnswer(Versioned):
    rules: int
    alerts: list[AlertNow]
    channels: list[AlertChannel]
    problem: str | None = Field(description="What of the rules cannot be judged.")


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
