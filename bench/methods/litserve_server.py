"""Peer: LitServe, one API worker per slot, HTTP on loopback, results in order.

Peers' interpreter (bench/requirements-peers.txt). Prints one JSON object.
"""

from __future__ import annotations

import multiprocessing
from typing import Mapping

import litserve

from bench.methods.peer import (
    await_ready,
    free_port,
    http_client,
    in_order,
    load,
    options,
    paths_of,
    report,
    timed,
)


class Api(litserve.LitAPI):
    def __init__(self, folder: str, network: str) -> None:
        super().__init__()
        self.folder, self.network = folder, network

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        self.process = load(self.folder, self.network)
        self.process(None)

    def decode_request(self, request: Mapping[str, str]) -> str:
        return request["path"]

    def predict(self, path: str) -> float:
        return self.process(path)

    def encode_response(self, output: float) -> dict[str, float]:
        return {"score": output}


def serve(folder: str, network: str, workers: int, port: int) -> None:
    server = litserve.LitServer(
        Api(folder, network), accelerator="cpu", workers_per_device=workers, timeout=False
    )
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False)


def main() -> None:
    chosen = options(__doc__)
    port = free_port()
    arguments = (str(chosen.model), chosen.network, chosen.workers, port)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    server.start()
    try:
        await_ready(port, "/health")
        send, paths = http_client(port, "/predict"), paths_of(chosen)
        in_order(send, paths[: chosen.workers], chosen.workers)
        _, total_s = timed(lambda: in_order(send, paths, chosen.workers * 2))
        report("litserve", chosen, total_s)
    finally:
        # Asked to end, it waits ten seconds for its workers and leaves them behind. Killed,
        # it leaves them too, and whoever started this program ends them all.
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
