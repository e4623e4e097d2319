"""The log as JSON Lines in S3: verified, resumed, the same objects after a crash.

Which rows make the next objects is decided once and remembered before the first upload,
so a retry writes the same keys with the same content. A thread uploads; it has no access
to the store.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from typing import Any, Callable, Iterable, NamedTuple

from contract.messages import dumps, utf8
from lambdas.aggregator.sinks import S3, rows_after, rows_between
from lambdas.aggregator.store import JOB, LATE, Store
from lambdas.aggregator.tables import Row
from lambdas.common.fault_points import fault
from lambdas.common.log import get_logger
from lambdas.common.settings import AggregatorSettings
from lambdas.common.waiting import Flag

OBJECT_BYTES = 4 << 20
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 30.0

_log = get_logger("outbox")


class Upload(NamedTuple):
    key: str
    body: bytes


def objects(rows: Iterable[Row], prefix: str) -> list[Upload]:
    """The objects that `rows` make below `prefix`, an epoch's below its own. Gaps are not
    terminal records and stay out."""
    lines: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    uploads = []
    for row in rows:
        base = f"{prefix}/epoch={row.epoch}"
        if row.kind == JOB:
            uploads.append(Upload(f"{base}/jobs/{row.n:012d}.json", utf8(row.body + "\n")))
            continue
        records = [r for r in json.loads(f"[{row.body}]") if r["status"] != "gap"]
        folder = "late/" if row.kind == LATE else ""
        lines.setdefault((base, row.stream, folder), []).extend(records)
    for (base, stream, folder), records in lines.items():
        if records:
            seqs = [record["seq"] for record in records]
            key = f"{base}/stream={stream}/{folder}{min(seqs):012d}-{max(seqs):012d}.jsonl"
            uploads.append(Upload(key, utf8("".join(dumps(r) + "\n" for r in records))))
    return uploads


class Uploader:
    """Puts objects one after the other, in a thread, until each is verified."""

    def __init__(self, bucket: str, make_client: Callable[[], Any]) -> None:
        self._bucket = bucket
        self._make_client = make_client
        self._jobs: queue.Queue[list[Upload] | None] = queue.Queue()
        self._stopping = Flag()
        self.finished: queue.Queue[int] = queue.Queue()
        self.last_error = ""
        threading.Thread(target=self._run, name="fanfold-outbox", daemon=True).start()

    def submit(self, uploads: list[Upload]) -> None:
        self._jobs.put(uploads)

    def stop(self) -> None:
        self._stopping.set()
        self._jobs.put(None)

    def _run(self) -> None:
        client = None
        while not self._stopping.is_set():
            uploads = self._jobs.get()
            if uploads is None:
                return
            for upload in uploads:
                wait_s = FIRST_RETRY_S
                while not self._stopping.is_set():
                    try:
                        client = client or self._make_client()
                        self._put(client, upload)
                        break
                    except Exception as error:
                        # Offline is normal here, and botocore's exceptions have no common
                        # base that we could name without importing it.
                        client = None
                        self.last_error = f"{type(error).__name__}: {error}"
                        _log.warning("s3://%s/%s: %s", self._bucket, upload.key, self.last_error)
                        self._stopping.is_set_within(wait_s)
                        wait_s = min(wait_s * 2, LONGEST_RETRY_S)
            if not self._stopping.is_set():
                self.last_error = ""
                self.finished.put(len(uploads))

    def _put(self, client: Any, upload: Upload) -> None:
        digest = hashlib.sha256(upload.body).hexdigest()
        fault("outbox.before_upload")
        client.put_object(
            Bucket=self._bucket,
            Key=upload.key,
            Body=upload.body,
            ContentType="application/x-ndjson",
            Metadata={"sha256": digest},
        )
        found = client.head_object(Bucket=self._bucket, Key=upload.key)
        if found["ContentLength"] != len(upload.body) or found["Metadata"].get("sha256") != digest:
            raise OSError(f"what S3 has under {upload.key} is not what was sent")
        fault("outbox.after_upload")


class S3Sink:
    """Cuts the log into windows and moves the cursor when a window is in S3."""

    def __init__(self, settings: AggregatorSettings, store: Store, uploader: Uploader) -> None:
        self._settings = settings
        self._store = store
        self._uploader = uploader
        self._due_at: float | None = None
        self._uploading = False
        self.objects = 0

    def pump(self, now: float) -> None:
        if self._uploading:
            self._check()
        if self._uploading:
            return
        cursor = self._store.cursors[S3]
        if self._store.windows[S3].n > cursor:
            self._upload(cursor)
            return
        if self._due_at is None:
            self._due_at = now + self._settings.outbox_every_s
        if now < self._due_at:
            return
        self._due_at = None
        upto = cursor
        size = 0
        for row in rows_after(self._store, cursor):
            upto, size = row.n, size + row.bytes
            if size >= OBJECT_BYTES:
                self._due_at = now
                break
        if upto > cursor and self._store.choose_window(S3, upto):
            self._upload(cursor)

    def _upload(self, cursor: int) -> None:
        rows = rows_between(self._store, cursor, self._store.windows[S3].n)
        self._uploading = True
        self._uploader.submit(objects(rows, self._prefix()))

    def _prefix(self) -> str:
        levels = (self._settings.outbox_prefix, f"site={self._settings.site}")
        return "/".join(filter(None, levels))

    def _check(self) -> None:
        try:
            count = self._uploader.finished.get_nowait()
        except queue.Empty:
            return
        self._uploading = False
        self.objects += count
        self._store.move(S3, self._store.windows[S3].n)
