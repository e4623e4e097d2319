"""The cloud of a core without one: JSON Lines below the state directory.

One line per message: ``{"epoch", "id", "topic", "payload"}``, payload as the JSON value
that it is, else ``"payload_base64"``. Files are rotated; the oldest go when the folder
is full, and each is counted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from edgecore.disk.sync import sync_folder
from edgecore.uplink.local_lines import digest, digests_in, key_of, settle
from edgecore.uplink.sinks import Message, StaleEpoch, Unreachable

log = logging.getLogger(__name__)

_FILE_BYTES = 16 << 20
_FOLDER_BYTES = 1 << 30
_BATCH = 512
_LOOKED_AT = 2
"""The newest files, in which a batch that comes again is looked for."""


class LocalSink:
    """Durable on return. A batch that comes again after a crash is recognised by its ids."""

    name = "local"
    max_messages = _BATCH
    max_bytes = 1 << 20

    def __init__(
        self, folder: Path, *, file_bytes: int = _FILE_BYTES, folder_bytes: int = _FOLDER_BYTES
    ) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._folder_bytes = folder_bytes
        self._file: IO[bytes] | None = None
        self._seen: tuple[str, int] = ("", 0)
        self._last: dict[int, bytes] = {}  # digests of the last batch's lines, by id
        self._synced_bytes = 0
        self._unsure: tuple[Path, int] | None = None
        self.files_dropped = 0

    async def deliver(self, messages: Sequence[Message]) -> int:
        try:
            await asyncio.to_thread(self._write, messages)
        except OSError as error:
            self._give_up_file()
            raise Unreachable(f"{self._folder}: {error}") from error
        return len(messages)

    async def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, messages: Sequence[Message]) -> None:
        if self._file is not None and os.fstat(self._file.fileno()).st_nlink == 0:
            # Somebody made room with it: what is written there now nobody reads.
            log.warning("%s was removed while it was written to", self._file.name)
            self._file.close()
            self._file = None
        out = self._file or self._open()
        epoch, last_id = self._seen
        lines = [(m, _line(m)) for m in messages]
        again = {m.id: line for m, line in lines if m.epoch == epoch and m.id <= last_id}
        if again:
            self._check_same(again)
        fresh = [(m, line) for m, line in lines if m.epoch != epoch or m.id > last_id]
        if not fresh:
            return
        self._synced_bytes = out.tell()
        out.write(b"".join(line for _, line in fresh))
        out.flush()
        os.fsync(out.fileno())
        self._seen = (fresh[-1][0].epoch, fresh[-1][0].id)
        self._last = {m.id: digest(line) for m, line in lines}
        if out.tell() >= self._file_bytes:
            out.close()
            self._file = None

    def _give_up_file(self) -> None:
        """After an error it is opened again and cut to what was synced: what an fsync that
        failed has left in the cache may look written and not be."""
        file, self._file = self._file, None
        if file is None:
            return
        self._unsure = (Path(file.name), self._synced_bytes)
        with contextlib.suppress(OSError):
            file.close()

    def _check_same(self, again: Mapping[int, bytes]) -> None:
        """What comes again after a crash is of the last batch, and the same."""
        epoch, _ = self._seen
        others = again.keys() - self._last.keys()
        known = {**self._last, **digests_in(self.files()[: -_LOOKED_AT - 1 : -1], epoch, others)}
        for number, line in again.items():
            if known.get(number) != digest(line):
                raise StaleEpoch(
                    f"message {number} is in {self._folder} already, with other content: "
                    "the spool is older than what was sent from it"
                )

    def _open(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self.files()
        if self._unsure is not None:
            with contextlib.suppress(FileNotFoundError):  # removed to make room, for one
                os.truncate(*self._unsure)
            self._unsure = None
        if line := next(filter(None, map(settle, reversed(files))), b""):
            try:
                self._seen = key_of(line)
            except (ValueError, KeyError, TypeError):
                # Delivered at least once: what comes again is written again.
                log.warning("the last line in %s is damaged: it is left as it is", self._folder)
        if not files or files[-1].stat().st_size >= self._file_bytes:
            number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
            files.append(self._folder / f"messages-{number:06d}.jsonl")
        self._file = files[-1].open("ab")
        self._synced_bytes = self._file.tell()
        sync_folder(self._folder)
        self._make_room(files[:-1])
        return self._file

    def files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._folder.glob("messages-*.jsonl"))

    def _make_room(self, files: list[Path]) -> None:
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if total + self._file_bytes <= self._folder_bytes:
                return
            total -= path.stat().st_size
            path.unlink()
            self.files_dropped += 1
            log.warning("local cloud folder is full: %s removed", path.name)


def _line(message: Message) -> bytes:
    key = {"epoch": message.epoch, "id": message.id, "topic": message.topic}
    head = json.dumps(key, separators=(",", ":")).encode()
    return head[:-1] + b"," + _payload(message.payload) + b"}\n"


def _payload(payload: bytes) -> bytes:
    """The member of a line that holds ``payload``."""
    try:
        value = json.loads(payload.decode())
    except (ValueError, RecursionError):
        return b'"payload_base64":"' + base64.b64encode(payload) + b'"'
    if b"\n" in payload or b"\r" in payload:
        payload = json.dumps(value, separators=(",", ":")).encode()
    # As it came otherwise: writing 100 KB of results anew costs as much as reading them.
    return b'"payload":' + payload
