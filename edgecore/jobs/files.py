"""A job's files, fetched while there is time, with addresses that are asked for anew."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from edgecore.jobs.artifacts import ArtifactAway, ArtifactExpired, Artifacts, check_space
from edgecore.jobs.cloud import JobsCloud
from edgecore.jobs.document import Artifact, JobDocument, parse
from edgecore.jobs.journal import JobRecord, Journal
from edgecore.jobs.staging import read_group
from edgecore.uplink.backoff import Backoff
from edgecore.uplink.iot.waiting import in_own_thread, set_within

log = logging.getLogger(__name__)

LOOK_S = 1.0
STILL_WANTED_S = 60.0
"""So often a job that takes long asks whether it is still there, beside notifications."""


class JobFailedError(Exception):
    """The job ends as FAILED; the text is the reason."""


def check_time(journal: Journal, record: JobRecord, document: JobDocument) -> None:
    if journal.spent_s() > document.timeout_s:
        raise JobFailedError(f"not done within {document.timeout_s} s, in step {record.step}; "
            "nothing was changed")  # fmt: skip


class JobFiles:
    """``problem``: why a file is still waited for. ``still_wanted`` is asked now and then, and
    raises where the job was taken back: the next one must not wait for its files. ``wake`` is
    set where there is reason to ask at once."""

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        cloud: JobsCloud,
        journal: Journal,
        artifacts: Artifacts,
        *,
        state: Path,
        thing: str,
        site: str,
        still_wanted: Callable[[JobRecord], Awaitable[None]],
        wake: asyncio.Event,
    ) -> None:
        self._still_wanted, self._wake = still_wanted, wake
        self._cloud, self.journal, self._artifacts = cloud, journal, artifacts
        self._state, self._thing, self._site = state, thing, site
        self.problem: str | None = None

    async def everything(
        self, record: JobRecord, document: JobDocument
    ) -> tuple[dict[str, Path], dict[str, Any]]:
        """The files by digest, and the group's document; the group's own file first."""
        check_space(self._state, document.all_artifacts)
        asked_anew = False
        files: dict[str, Path] = {}
        while True:
            try:
                path = await self.one(record, document, document.group)
                group = read_group(path, document, self._thing)
                for artifact in document.artifacts:
                    files[artifact.sha256] = await self.one(record, document, artifact)
            except ArtifactExpired as error:
                if asked_anew:
                    raise JobFailedError(f"{error} again, with the document asked for anew; check "
                        "the object, and who may read it") from error  # fmt: skip
                asked_anew = True
                document = await self._document_anew(record)
            else:
                return files, group

    async def one(self, record: JobRecord, document: JobDocument, artifact: Artifact) -> Path:
        backoff = Backoff(base_s=1.0, cap_s=30.0)
        try:
            while True:
                check_time(self.journal, record, document)
                try:
                    return await self._fetched(record, document, artifact)
                except ArtifactAway as error:
                    self.problem = str(error)
                    log.warning("job %s: %s; tried again", record.job_id, error)
                self._wake.clear()
                await set_within(self._wake, backoff.next_s())
                await self._still_wanted(record)
        finally:
            self.problem = None

    async def _fetched(self, record: JobRecord, document: JobDocument, artifact: Artifact) -> Path:
        """However slowly it comes, the download ends with the job's time, or with the job."""
        stop, asked_at = threading.Event(), time.monotonic()
        fetching = in_own_thread(
            lambda: self._artifacts.fetch(artifact, stop), f"job-{artifact.what}"
        )
        try:
            while not (await asyncio.wait({fetching}, timeout=LOOK_S))[0]:
                check_time(self.journal, record, document)
                if self._wake.is_set() or time.monotonic() - asked_at > STILL_WANTED_S:
                    self._wake.clear()
                    asked_at = time.monotonic()
                    await self._still_wanted(record)
            return fetching.result()
        finally:
            stop.set()
            fetching.cancel()

    async def _document_anew(self, record: JobRecord) -> JobDocument:
        """The same execution's document, with addresses that were signed just now."""
        execution = await self._cloud.describe(record.job_id)
        content = execution.get("jobDocument")
        document = parse(content, site=self._site)
        record.document = dict(content) if isinstance(content, dict) else record.document
        self.journal.write(record)
        return document
