"""Artifacts on this disk, whole and with the right digest, before anything is touched.

What was fetched before a power cut is kept (``jobs/parts/{sha256}``) and continued.
"""

from __future__ import annotations

import http.client
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from contract.digests import sha256_of
from edgecore.jobs.document import Artifact

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60
UNPACKED_FACTOR = 3
SPARE_BYTES = 64 << 20
NEVER_MORE_BYTES = 4 << 30
BUSY = (408, 425, 429)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ArtifactFailed(Exception):  # noqa: N818
    """The job fails for it: which artifact, what was expected and found, the remedy."""


class ArtifactAway(Exception):  # noqa: N818 - tried again
    """The server or the way to it."""


class ArtifactExpired(Exception):  # noqa: N818
    """Refused by 4xx: a presigned address may have expired; the document is asked for anew."""


class DownloadStopped(Exception):  # noqa: N818 - asked for
    """Nobody waits for it any more."""


S3Get = Callable[[str, str, int], tuple[Iterator[bytes], bool]]
"""Bucket, key, first byte: the chunks, and whether they begin there. Raises as above."""


def check_space(folder: Path, artifacts: Sequence[Artifact]) -> None:
    """Raises ArtifactFailed where what is to be fetched and unpacked does not fit."""
    packed = sum(artifact.size or 0 for artifact in artifacts)
    needed = packed * (1 + UNPACKED_FACTOR) + SPARE_BYTES
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise ArtifactFailed(
            f"not enough space in {folder}: {needed >> 20} MB are needed for this deployment, "
            f"{free >> 20} MB are free; free some, or give the core another --state"
        )


class Artifacts:
    """``fetch`` blocks: call it in a thread. ``progress`` counts bytes over all of them."""

    def __init__(self, folder: Path, s3_get: S3Get, *, proxy: str | None = None) -> None:
        self._folder, self._s3_get = folder, s3_get
        handlers = [urllib.request.ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
        self._open = urllib.request.build_opener(*handlers).open
        self.fetched_bytes = 0

    def fetch(self, artifact: Artifact, stop: threading.Event) -> Path:
        """The file, checked. Raises ArtifactFailed, ArtifactAway, ArtifactExpired, and
        DownloadStopped with the first bytes that come once ``stop`` is set."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / artifact.sha256
        if path.exists() and sha256_of(path) == artifact.sha256:
            return path
        part = self._folder / f"{artifact.sha256}.part"
        try:
            self._download(artifact, part, stop)
        except OSError as error:
            raise ArtifactFailed(f"{artifact.what}: cannot be written to {self._folder} "
                f"({error.strerror}); free space there") from error  # fmt: skip
        found = sha256_of(part)
        if found != artifact.sha256:
            size = part.stat().st_size
            part.unlink()
            raise ArtifactFailed(f"{artifact.what}: SHA-256 is {found[:16]}… ({size} bytes), the "
                f"job says {artifact.sha256[:16]}…; publish it again")  # fmt: skip
        part.replace(path)
        return path

    def forget(self) -> None:
        """The job has ended: what it fetched is in the caches, or not wanted."""
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            path.unlink(missing_ok=True)

    def _download(self, artifact: Artifact, part: Path, stop: threading.Event) -> None:
        first = part.stat().st_size if part.exists() else 0
        limit = artifact.size if artifact.size is not None else NEVER_MORE_BYTES
        if first > limit:
            part.unlink()
            first = 0
        if first and first == artifact.size:
            return
        chunks, continues = self._chunks(artifact, first)
        if stop.is_set():  # its files may be another job's by now
            raise DownloadStopped(artifact.what)
        with part.open("ab" if continues else "wb") as out:
            held = first if continues else 0
            for chunk in chunks:
                if stop.is_set():
                    raise DownloadStopped(artifact.what)
                held += len(chunk)
                self.fetched_bytes += len(chunk)
                if held > limit:
                    raise ArtifactFailed(f"{artifact.what}: is larger than the {limit} bytes that "
                        "the job names; publish it again")  # fmt: skip
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())

    def _chunks(self, artifact: Artifact, first: int) -> tuple[Iterator[bytes], bool]:
        parts = urllib.parse.urlsplit(artifact.uri)
        if parts.scheme == "s3":
            return self._s3_get(parts.netloc, urllib.parse.unquote(parts.path[1:]), first)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ArtifactFailed(f"{artifact.what}: {parts.scheme}://{parts.hostname} is not "
                "encrypted; give an https:// address")  # fmt: skip
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked
            artifact.uri, headers={"Range": f"bytes={first}-"} if first else {}
        )
        try:
            answer = self._open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            said = f"{artifact.what}: {parts.hostname} answers {error.code}"
            if error.code in BUSY or error.code >= 500:
                raise ArtifactAway(said) from error
            raise ArtifactExpired(said) from error
        except http.client.InvalidURL as error:
            raise ArtifactFailed(f"{artifact.what}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ArtifactAway(f"{artifact.what}: {parts.hostname}: {error}") from error
        return _read(answer, artifact), answer.status == 206


def _read(answer: Any, artifact: Artifact) -> Iterator[bytes]:
    left_bytes = int(answer.headers.get("Content-Length") or 0)
    try:
        with answer:
            while chunk := answer.read1(CHUNK_BYTES):  # what is there: a slow one can be stopped
                left_bytes -= len(chunk)
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise ArtifactAway(f"{artifact.what}: the download broke off ({error})") from error
    if left_bytes > 0:  # reading by pieces, http.client does not say so itself
        raise ArtifactAway(f"{artifact.what}: the download broke off, {left_bytes} bytes lack")
