"""What every peer shares: options, the same network and transform, the same report."""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import Callable, Sequence, TypedDict, TypeVar

T = TypeVar("T")


class Options(argparse.Namespace):
    """The command line that every control has."""

    model: Path | None
    workers: int
    count: int
    noop: bool
    package: bool
    images: list[str]

    @property
    def network(self) -> str:
        """What `load` is asked for, as one word for another process."""
        return "noop" if self.noop else "package" if self.package else "article"


class Result(TypedDict):
    """What every control prints, as one line of JSON; some add to it."""

    method: str
    workers: int
    images: int
    total_s: float
    images_per_s: float


def result(method: str, workers: int, images: int, total_s: float) -> Result:
    return {
        "method": method,
        "workers": workers,
        "images": images,
        "total_s": total_s,
        "images_per_s": images / total_s,
    }


def parser_of(doc: str) -> argparse.ArgumentParser:
    """Command line of a control: model folder, workers, count, what is computed, images."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--model", type=Path, help="unpacked model package")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=0, help="images, cycling through the list")
    parser.add_argument("--noop", action="store_true", help="no image is read, no network run")
    parser.add_argument("--package", action="store_true", help="the package's own runtime")
    parser.add_argument("images", nargs="+")
    return parser


def options(doc: str) -> Options:
    """The parsed command line; a model is needed unless nothing is computed."""
    parser = parser_of(doc)
    chosen = parser.parse_args(namespace=Options())
    if chosen.model is None and not chosen.noop:
        parser.error("--model FOLDER is needed without --noop")
    return chosen


def paths_of(chosen: Options) -> list[str]:
    source = cycle(str(Path(p).resolve()) for p in chosen.images)
    return [next(source) for _ in range(chosen.count or len(chosen.images))]


def load(folder: str, network: str) -> Callable[[str | None], float]:
    """→ function(path or None) → score; None warms the network up. `network`: of `Options`."""
    if network == "noop":
        return lambda _: 0.0
    if network == "package":
        from bench.methods.packaged import package_score

        return package_score(folder)
    import cv2  # noqa: F401 - imported here so that no measured image pays for it
    import mxnet as mx

    from bench.methods.article_network import Network, transform

    loaded = Network(folder, mx.cpu())

    def process(path: str | None) -> float:
        tensor = mx.nd.zeros(loaded.shape) if path is None else transform(path, loaded.shape)
        return float(loaded.infer(tensor)[0][0][1])

    return process


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """→ (what `work` returns, seconds)."""
    start = time.perf_counter()
    returned = work()
    return returned, time.perf_counter() - start


def report(method: str, chosen: Options, total_s: float) -> None:
    found = result(method, chosen.workers, chosen.count or len(chosen.images), total_s)
    print(json.dumps({**found, "noop": chosen.noop}))


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_ready(port: int, path: str, timeout_s: int = 120) -> None:
    """Return when `GET path` answers 200; ends the program when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"the server was not ready in {timeout_s} s")


def http_client(port: int, path: str) -> Callable[[str], object]:
    """→ function(image path) → the JSON answer; one kept-open connection per thread."""
    local = threading.local()

    def send(image: str) -> object:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            local.connection.connect()
            local.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = json.dumps({"path": image})
        local.connection.request("POST", path, body, {"Content-Type": "application/json"})
        return json.loads(local.connection.getresponse().read())

    return send


def in_order(send: Callable[[str], T], paths: Sequence[str], in_flight: int) -> list[T]:
    """Calls `send(path)` from `in_flight` threads; results come back in the paths' order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(in_flight) as pool:
        return list(pool.map(send, paths))
