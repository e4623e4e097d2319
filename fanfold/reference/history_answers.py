"""What `fanfold history` and `alerts` print as JSON."""

from __future__ import annotations

from typing import Literal

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
    unconfirmed: bool = Field(
        description="On when the core stopped, and not seen yet whether it still is."
    )


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


class WayTested(Answer):
    name: Literal["webhook", "mail", "mqtt"]
    problem: str | None = Field(description="null: the test was sent.")


class AlertsTestAnswer(Versioned):
    ways: list[WayTested]


class AcknowledgeAnswer(Versioned):
    message: str = Field(description="The core's answer.")
    alert: AlertNow | None = Field(description="As it is now; null: it has ended meanwhile.")
