"""One real part in a process of its own: messages in by stdin, out by stdout.

Each line is `{"topic": …, "payload": …}`; the payload is JSON text.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from lambdas.aggregator.engine import Aggregator
from lambdas.aggregator.outbox import S3Sink, Uploader
from lambdas.common.bus import Bus
from lambdas.common.loop import Loop
from lambdas.common.settings import (
    aggregator_settings,
    inference_settings,
    splitter_settings,
    transform_settings,
)
from lambdas.splitter.engine import Splitter
from lambdas.transform.worker import TransformWorker
from lambdas.worker.worker import Worker


class PipeBus(Bus):
    def publish(self, topic: str, payload: bytes) -> bool:
        line = json.dumps({"topic": topic, "payload": payload.decode()}) + "\n"
        os.write(1, line.encode())
        return True


class FolderS3:
    """Objects as files, with the two calls that the uploader makes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_object(self, *, Key: str, Body: bytes, Metadata: dict, **_: object) -> None:  # noqa: N803
        path = self._root / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".meta").write_text(json.dumps(Metadata))
        path.write_bytes(Body)

    def head_object(self, *, Key: str, **_: object) -> dict:  # noqa: N803
        path = self._root / Key
        meta = json.loads(path.with_suffix(".meta").read_text())
        return {"ContentLength": path.stat().st_size, "Metadata": meta}


def make(role: str):
    now = time.monotonic()
    if role == "splitter":
        return Splitter(splitter_settings(), PipeBus(), now)
    settings = aggregator_settings()
    folder = FolderS3(Path(settings.state_dir).parent / "s3")
    return Aggregator(
        settings,
        PipeBus(),
        now,
        lambda store: S3Sink(settings, store, Uploader(settings.outbox_bucket, lambda: folder)),
    )


def worker_of(role: str) -> TransformWorker | Worker:
    """The two stages of strategy `decoupled`."""
    if role == "transform":
        return TransformWorker(transform_settings(), PipeBus())
    return Worker(inference_settings(), PipeBus())


def main() -> None:
    if sys.argv[1] in ("transform", "inference"):
        worker = worker_of(sys.argv[1])
        for line in sys.stdin:
            worker.handle(json.loads(line)["payload"])
        return
    loop = Loop(make(sys.argv[1]), tick_s=0.01).start()
    for line in sys.stdin:
        message = json.loads(line)
        loop.put(message["topic"], message["payload"].encode())
    loop.stop()


if __name__ == "__main__":
    main()
