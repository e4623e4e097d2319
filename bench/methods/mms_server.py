"""Peer: multi-model-server (Java front end, Python workers), HTTP on loopback, in order.

Peers' interpreter and a Java runtime. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Mapping, Sequence

from bench.methods.peer import (
    Options,
    await_ready,
    http_client,
    in_order,
    load,
    options,
    paths_of,
    report,
    timed,
)

#: Of a worker process, since its first call.
_process: Callable[[str | None], float]


def handle(
    data: Sequence[Mapping[str, Mapping[str, str]]] | None,
    context: object,  # noqa: ARG001 - the server's signature
) -> list[dict[str, float]] | None:
    """Entry point of a worker: the first call, with no data, loads the network."""
    global _process  # noqa: PLW0603 - one model per worker process
    if data is None:
        folder = os.environ["BENCH_MODEL"]
        _process = load(folder, "article" if folder else "noop")
        _process(None)
        return None
    return [{"score": _process(request["body"]["path"])} for request in data]


def low_port() -> int:
    """A free port that the server's own check takes: it refuses those above 32767."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def model_store(root: Path) -> Path:
    """A store with one model: this file as its service code."""
    folder = root / "store" / "network"
    (folder / "MAR-INF").mkdir(parents=True)
    shutil.copy(__file__, str(folder / "mms_server.py"))
    model = {"modelName": "network", "handler": "mms_server.py:handle"}
    manifest = {"specificationVersion": "1.0", "runtime": "python", "model": model}
    (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
    return folder.parent


def start(root: Path, chosen: Options, port: int) -> subprocess.Popen[bytes]:
    """The server's process; its logs stay below `root`."""
    config = root / "config.properties"
    config.write_text(
        f"inference_address=http://127.0.0.1:{port}\n"
        f"management_address=http://127.0.0.1:{low_port()}\n"
        f"default_workers_per_model={chosen.workers}\n"
    )
    command = [str(Path(sys.executable).with_name("multi-model-server")), "--start", "--foreground"]
    command += ["--mms-config", str(config), "--model-store", str(model_store(root))]
    command += ["--models", "network=network"]
    folder = str(chosen.model.resolve()) if chosen.model and not chosen.noop else ""
    # Its temporary folder holds the server's pid file: its own, so that no other run is found.
    environment = dict(os.environ, BENCH_MODEL=folder, TMPDIR=str(root), TEMP=str(root))
    with (root / "server.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=str(root), env=environment, stdout=log, stderr=log, start_new_session=True
        )


def main() -> None:
    chosen = options(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        root, port = Path(folder), low_port()
        server = start(root, chosen, port)
        try:
            await_ready(port, "/ping")
            send, paths = http_client(port, "/predictions/network"), paths_of(chosen)
            in_order(send, paths[: chosen.workers], chosen.workers)
            _, total_s = timed(lambda: in_order(send, paths, chosen.workers * 2))
        finally:
            # The launcher, the Java front end and its workers are one process group.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        report("mms", chosen, total_s)


if __name__ == "__main__":
    main()
