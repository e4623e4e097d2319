"""What `fanfold rollout --json` prints."""

from __future__ import annotations

from pydantic import Field

from fanfold.reference.answer import Answer, Versioned


class RolloutSite(Answer):
    """With `--plan`: `target`, `engine`, `now`, `report_every_s` instead."""

    stand: str | None = Field(
        default=None,
        description="pending, deploying, deployed, healthy, away, failed, unhealthy, rolling back, "
        "rolled back, not rolled back or left out.",
    )
    why: str | None = Field(default=None, description="The last reason given; may be empty.")


class RolloutAnswer(Versioned):
    model: str = Field(description="S3 URI of the package.")
    waves: list[list[str]] = Field(description="Sites in the order of their waves.")
    sites: dict[str, RolloutSite]
    stopped: str | None = Field(default=None, description="Why it stopped; null: it did not.")
    record: str | None = Field(default=None, description="The record's file.")
    unchanged: list[str] = Field(
        default_factory=list, description="With `--plan`: sites that run the model already."
    )
