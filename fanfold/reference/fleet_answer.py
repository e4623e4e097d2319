"""What `fanfold sites --json` and `fanfold init --json` print."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from fanfold.reference.answer import Answer, Versioned


class SiteReason(Answer):
    level: Literal["down", "silent", "unknown", "degraded", "not deployed"]
    subject: str
    problem: str
    core: str = Field(description="Whose; empty: of the whole site.")


class FleetSite(Answer):
    site: str
    target: str = Field(description="Empty where the file cannot be read.")
    verdict: Literal["ok", "degraded", "down", "silent", "unknown", "not deployed"]
    reasons: list[SiteReason] = Field(description="The worst first.")
    cores: list[str] = Field(description="Things that were heard.")
    version: str | None = Field(description="Of Fanfold, as the cores say it.")
    model: str | None = Field(description="Of the deployment that runs, in short.")
    deployed: dict[str, Any] | None = Field(
        description="The newest: id, version, created_at, status, error, model (URI), cores."
    )
    drift: list[str] | None = Field(description="File against deployment; null: not compared.")
    problem: str | None = Field(description="What could not be read.")
    last_word_at: float | None = Field(description="Of the core heard last.")
    oldest_word_at: float | None = Field(description="Last word of the core heard longest ago.")
    silent_after_s: float | None = Field(description="Three reports; null: it sends none.")
    last_result_at: float | None
    images: int = Field(description="Records of the last 15 minutes.")
    failed: int = Field(description="Failed ones of them.")


class SitesAnswer(Versioned):
    read_at: float
    where: str = Field(description="Which cloud, in words.")
    refresh_s: float = Field(description="Of a served page; else 0.")
    sites: list[FleetSite] = Field(description="The worst first.")


class InitAnswer(Versioned):
    site: str = Field(description="The site's file.")
    profile: str | None = Field(description="The profile's file; null: one was named.")
    next: list[str] = Field(description="The next two commands.")
