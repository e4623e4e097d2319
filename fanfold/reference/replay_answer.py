"""What `fanfold replay --json` prints, which is also its report.json and how it ran."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from fanfold.reference.answer import Versioned


class ReplayAnswer(Versioned):
    replay: str = Field(description="The plan's name: a hash of all shards.")
    model: dict[str, str] = Field(description="`name`, `version`, `sha256` of model.json.")
    archive: str = Field(description="Where the images are.")
    results: str = Field(description="Folder or URI of the streams, the report and the page.")
    shards: int
    images: int
    ok: int
    failed: dict[str, int] = Field(description="Reason → images.")
    streams: dict[str, int] = Field(description="Stream → images.")
    made: float
    against: dict[str, Any] | None = Field(
        default=None, description="The comparison, docs/spec/replay.md; absent without --against."
    )
    run: dict[str, Any] = Field(
        description="This run: `images`, `found` (there before), `seconds`, `images_per_s`, "
        "`usd`, `quarantined`, `nodes` (of a cluster: node → shards written)."
    )
