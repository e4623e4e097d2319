"""A prefix of a bucket, with retries: a bucket that throttles is backed off, and it is counted."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from replay.errors import OverloadedError, ReplayError
from replay.place import Entry

Answer = TypeVar("Answer")
#: What S3 says when it is asked too often, or cannot answer just now.
THROTTLED = frozenset(
    ("SlowDown", "503", "500", "InternalError", "ServiceUnavailable", "RequestLimitExceeded",
     "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestTimeout",
     "ConditionalRequestConflict")
)  # fmt: skip
MISSING = frozenset(("NoSuchKey", "404", "NotFound"))
#: Of one part of a large file: a stream's file may have thousands of them.
PART_ATTEMPTS = 10
FIRST_WAIT_S, LONGEST_WAIT_S, PATIENCE_S = 0.2, 20.0, 300.0


class Retry:
    """Asks again with growing, randomized pauses; `waits` counts them."""

    def __init__(
        self, limit_s: float = PATIENCE_S, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._limit_s, self._sleep = limit_s, sleep
        self.waits = 0

    def __call__(self, what: str, ask: Callable[[], Answer]) -> Answer:
        """Raises `OverloadedError` after `limit_s` of pauses; other errors pass at once."""
        from botocore.exceptions import ClientError, HTTPClientError

        wait_s, waited_s = FIRST_WAIT_S, 0.0
        while True:
            try:
                return ask()
            except (ClientError, HTTPClientError) as error:
                if code_of(error) not in THROTTLED:
                    raise
                if waited_s >= self._limit_s:
                    raise OverloadedError(
                        f"{what}: refused for {waited_s:.0f} s of pauses ({error}); it is tried "
                        "again, start fewer workers if this stays"
                    ) from error
            pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            self.waits += 1
            self._sleep(pause_s)
            waited_s += pause_s
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)


def code_of(error: Exception) -> str:
    """S3's code; a connection that broke counts as a server that cannot answer just now."""
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if isinstance(response, dict) else "503"


class Bucket:
    """One place in S3; the endpoint and the credentials are boto3's own settings."""

    def __init__(
        self, client: Any, bucket: str, prefix: str, retry: Retry,
        sender: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        """`sender` makes the client for whole files, which asks again for each part by itself."""
        self._client, self._bucket, self.retry = client, bucket, retry
        # Made when it is needed: a client is 30 MB, and only who joins sends whole files.
        self._make_sender = sender or (lambda: client)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"s3://{bucket}/{self._prefix}".rstrip("/")

    @functools.cached_property
    def _sender(self) -> Any:
        return self._make_sender()

    @classmethod
    def of(cls, url: str) -> Bucket:
        """`s3://bucket/prefix`. Raises `ReplayError`."""
        import boto3
        from botocore.config import Config

        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise ReplayError(f"{url}: no bucket, give s3://bucket/prefix")

        def client(attempts: int) -> Any:
            retries = {"total_max_attempts": attempts, "mode": "standard"}
            config = Config(retries=retries, connect_timeout=10, max_pool_connections=64)
            return boto3.client("s3", config=config)

        # Retries are ours, so that they are counted and have one limit.
        return cls(client(1), bucket, prefix, Retry(), lambda: client(PART_ATTEMPTS))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        token = ""
        while True:
            page = self._page(self._prefix + prefix, token)
            for found in page.get("Contents", ()):
                name = found["Key"][len(self._prefix) :]
                if not name.endswith("/"):  # consoles make such objects for folders
                    yield Entry(name, found["Size"], found["ETag"].strip('"'))
            token = page.get("NextContinuationToken", "")
            if not token:
                return

    def _page(self, where: str, token: str) -> Any:
        after = {"ContinuationToken": token} if token else {}
        return self._ask(
            f"s3://{self._bucket}/{where}",
            lambda: self._client.list_objects_v2(Bucket=self._bucket, Prefix=where, **after),
        )

    def read(self, name: str) -> bytes:
        def get() -> bytes:
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            return bytes(body.read())

        return self._ask(f"{self.url}/{name}", get)

    def exists(self, name: str) -> bool:
        key = self._prefix + name
        try:
            self._ask(
                f"{self.url}/{name}",
                lambda: self._client.head_object(Bucket=self._bucket, Key=key),
            )
        except FileNotFoundError:
            return False
        return True

    def write_once(self, name: str, content: bytes) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._ask(
                f"{self.url}/{name}",
                lambda: self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + name, Body=content, IfNoneMatch="*"
                ),
            )
        except ClientError as error:
            if code_of(error) in ("PreconditionFailed", "412"):
                return False
            raise
        return True

    def put_file(self, name: str, path: Path) -> None:
        def send() -> None:
            with path.open("rb") as file:
                self._sender.upload_fileobj(file, self._bucket, self._prefix + name)

        self._ask(f"{self.url}/{name}", send)

    def remove(self, name: str) -> None:
        key = self._prefix + name
        self._ask(
            f"{self.url}/{name}",
            lambda: self._client.delete_object(Bucket=self._bucket, Key=key),
        )

    def on_disk(self, name: str) -> str | None:  # noqa: ARG002 - Place's
        return None

    def _ask(self, what: str, ask: Callable[[], Answer]) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self.retry(what, ask)
        except ClientError as error:
            code = code_of(error)
            if code in MISSING:
                raise FileNotFoundError(what) from error
            if code in ("PreconditionFailed", "412"):
                raise
            raise ReplayError(f"{what}: {error}. Check the name and your permissions") from error
        except BotoCoreError as error:
            raise ReplayError(f"{what}: {error}. Are credentials and region set?") from error
