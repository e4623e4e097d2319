"""One real part in a process of its own: messages in by stdin, out by stdout.

Each line is `{"topic": …, "payload": …}`; the payload is JSON text. `python part_process.py PATH`
has imported every role and forks for each part: they are started by the hundred.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import fork_server

from lambdas.aggregator.engine import Aggregator
from lambdas.aggregator.outbox import S3Sink, Uploader
from lambdas.common import fault_points, settings
from lambdas.common.bus import Bus
from lambdas.common.loop import Loop
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
        return Splitter(settings.splitter_settings(), PipeBus(), now)
    own = settings.aggregator_settings()
    folder = FolderS3(Path(own.state_dir).parent / "s3")
    return Aggregator(
        own,
        PipeBus(),
        now,
        lambda store: S3Sink(own, store, Uploader(own.outbox_bucket, lambda: folder)),
    )


def worker_of(role: str):
    """The two stages of strategy `decoupled`."""
    if role == "transform":
        return TransformWorker(settings.transform_settings(), PipeBus())
    return Worker(settings.inference_settings(), PipeBus())


def main(arguments: list[str]) -> None:
    (role,) = arguments
    importlib.reload(fault_points)  # armed by the environment that is this part's
    if role in ("transform", "inference"):
        worker = worker_of(role)
        for line in sys.stdin:
            worker.handle(json.loads(line)["payload"])
        return
    loop = Loop(make(role), tick_s=0.01).start()
    for line in sys.stdin:
        message = json.loads(line)
        loop.put(message["topic"], message["payload"].encode())
    loop.stop()


if __name__ == "__main__":
    importlib.import_module("lambdas.model.runtimes.simulated")
    fork_server.end(main, fork_server.become(fork_server.serve(sys.argv[1])))
