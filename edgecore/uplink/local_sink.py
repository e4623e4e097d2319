"""The cloud of a core without one: JSON Lines below the state directory.

One line per message: ``{"epoch", "id", "topic", "payload"}``, payload as the JSON value
that it is, else ``"payload_base64"``. Files are rotated; the oldest go when the folder
is full, and each is counted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from edgecore.disk.sync import sync_folder
from edgecore.uplink.sinks import Message, Unreachable

log = logging.getLogger(__name__)

_FILE_BYTES = 16 << 20
_FOLDER_BYTES = 1 << 30
_TAIL_BYTES = 1 << 20  # holds the longest line: 128 KB of payload as base64 and more


class LocalSink:
    """Durable on return. A batch that comes again after a crash is recognised by its ids."""

    name = "local"
    max_messages = 512

    def __init__(
        self, folder: Path, *, file_bytes: int = _FILE_BYTES, folder_bytes: int = _FOLDER_BYTES
    ) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._folder_bytes = folder_bytes
        self._file: IO[bytes] | None = None
        self._seen: tuple[str, int] = ("", 0)
        self.files_dropped = 0

    async def deliver(self, messages: Sequence[Message]) -> int:
        try:
            await asyncio.to_thread(self._write, messages)
        except OSError as error:
            await self.close()  # what was half written is cut off when it is opened again
            raise Unreachable(f"{self._folder}: {error}") from error
        return len(messages)

    async def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, messages: Sequence[Message]) -> None:
        out = self._file or self._open()
        epoch, last_id = self._seen
        fresh = [m for m in messages if m.epoch != epoch or m.id > last_id]
        if not fresh:
            return
        out.write(b"".join(map(_line, fresh)))
        out.flush()
        os.fsync(out.fileno())
        self._seen = (fresh[-1].epoch, fresh[-1].id)
        if out.tell() >= self._file_bytes:
            out.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self.files()
        if files:
            self._seen = _cut_torn_line(files[-1]) or self._seen
        if not files or files[-1].stat().st_size >= self._file_bytes:
            number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
            files.append(self._folder / f"messages-{number:06d}.jsonl")
        self._file = files[-1].open("ab")
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


def _cut_torn_line(path: Path) -> tuple[str, int] | None:
    """Remove what a crash left after the last newline; the last whole line's key."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) != len(tail):
            file.truncate(size - len(tail) + len(whole))
    lines = whole.splitlines()
    if not lines:
        return None
    record = json.loads(lines[-1])
    return str(record["epoch"]), int(record["id"])
