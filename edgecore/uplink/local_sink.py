"""The cloud of a core without one: JSON Lines below the state directory.

One line per message: ``{"epoch", "id", "topic", "payload"}``, payload as the JSON value
that it is, else ``"payload_base64"``. Files are rotated; the oldest go when the folder
is full, and each is counted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from edgecore.disk.sync import sync_folder
from edgecore.uplink.sinks import Message, StaleEpoch, Unreachable

log = logging.getLogger(__name__)

_FILE_BYTES = 16 << 20
_FOLDER_BYTES = 1 << 30
_BATCH = 512
_KEY = re.compile(rb'\{"epoch":"([0-9a-f]+)","id":(\d+),')


class LocalSink:
    """Durable on return. A batch that comes again after a crash is recognised by its ids."""

    name = "local"
    max_messages = _BATCH

    def __init__(
        self, folder: Path, *, file_bytes: int = _FILE_BYTES, folder_bytes: int = _FOLDER_BYTES
    ) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._folder_bytes = folder_bytes
        self._file: IO[bytes] | None = None
        self._seen: tuple[str, int] = ("", 0)
        self._known: dict[int, bytes] = {}  # the last lines of the latest epoch, by id
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
        out = self._file or self._open()
        epoch, last_id = self._seen
        lines = [(m, _line(m)) for m in messages]
        for message, line in lines:
            if message.epoch == epoch and message.id <= last_id:
                self._check_same(message.id, line)
        fresh = [(m, line) for m, line in lines if m.epoch != epoch or m.id > last_id]
        if not fresh:
            return
        self._synced_bytes = out.tell()
        out.write(b"".join(line for _, line in fresh))
        out.flush()
        os.fsync(out.fileno())
        self._seen = (fresh[-1][0].epoch, fresh[-1][0].id)
        self._known = {m.id: _digest(line) for m, line in lines}
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

    def _check_same(self, message_id: int, line: bytes) -> None:
        """What comes again after a crash is of the last batch, and the same."""
        if self._known.get(message_id) != _digest(line):
            raise StaleEpoch(
                f"message {message_id} is in {self._folder} already, with other content: "
                "the spool is older than what was sent from it"
            )

    def _open(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self.files()
        if self._unsure is not None:
            os.truncate(*self._unsure)
            self._unsure = None
        if files:
            self._seen, self._known = _read_back(files[-1]) or (self._seen, self._known)
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


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line.rstrip(b"\n"), digest_size=16).digest()


def _read_back(path: Path) -> tuple[tuple[str, int], dict[int, bytes]] | None:
    """Remove what a crash left after the last newline. The last whole line's key, and what is
    known of the lines of its epoch: a batch is never cut by the end of a file."""
    with path.open("r+b") as file:
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) != len(content):
            file.truncate(len(whole))
    lines = whole.splitlines()
    if not lines:
        return None
    last = json.loads(lines[-1])
    epoch = str(last["epoch"])
    keys = ((_KEY.match(line), line) for line in lines)
    known = {
        int(key[2]): _digest(line)
        for key, line in keys
        if key is not None and key[1].decode() == epoch
    }
    return (epoch, int(last["id"])), known
