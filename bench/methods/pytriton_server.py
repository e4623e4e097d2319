"""Peer: NVIDIA PyTriton, one callable per worker behind one Triton model.

Two callables in one PyTriton process are threads sharing one MXNet engine; MXNet then needs
MXNET_CPU_WORKER_NTHREADS = workers to run them side by side, which the caller sets.
Peers' interpreter; PyTriton's stub needs a Python with a shared libpython of its own
version (Debian's python3.11 works, a static build does not). Prints one JSON object.
"""

from __future__ import annotations

from typing import Callable, Protocol, Sequence

import numpy as np
from pytriton.client import ModelClient
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from bench.methods.peer import Options, in_order, load, options, paths_of, report, timed


class Request(Protocol):
    """Of PyTriton's request what is read here: arrays by the names of the inputs."""

    data: dict[str, np.ndarray]


Infer = Callable[[Sequence[Request]], "list[dict[str, np.ndarray]]"]


def callable_for(folder: str, network: str) -> Infer:
    process = load(folder, network)
    process(None)

    def infer(requests: Sequence[Request]) -> list[dict[str, np.ndarray]]:
        return [
            {"score": np.array([process(r.data["path"][0].decode())], np.float32)} for r in requests
        ]

    return infer


def main() -> None:
    chosen = options(__doc__)
    config = TritonConfig(http_port=18310, grpc_port=18311, metrics_port=18312, log_verbose=0)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="network",
            infer_func=[
                callable_for(str(chosen.model), chosen.network) for _ in range(chosen.workers)
            ],
            inputs=[Tensor(name="path", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="score", dtype=np.float32, shape=(1,))],
            config=ModelConfig(batching=False),
        )
        triton.run()
        run_client(chosen)


def run_client(chosen: Options) -> None:
    import threading

    local = threading.local()

    def send(path: str) -> float:
        if not hasattr(local, "client"):
            local.client = ModelClient("localhost:18310", "network", lazy_init=False)
        return float(local.client.infer_sample(np.array([path.encode()]))["score"][0])

    paths = paths_of(chosen)
    in_order(send, paths[: chosen.workers], chosen.workers)
    _, total_s = timed(lambda: in_order(send, paths, chosen.workers * 2))
    report("pytriton", chosen, total_s)


if __name__ == "__main__":
    main()
