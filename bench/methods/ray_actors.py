"""Peer: Ray actors behind an ActorPool, one actor per worker, results in order.

Peers' interpreter (bench/requirements-peers.txt). Prints one JSON object.
"""

from __future__ import annotations

import ray
from ray.util import ActorPool

from bench.methods.peer import options, paths_of, report, timed


class Worker:
    def __init__(self, folder: str, network: str) -> None:
        from bench.methods.peer import load

        self.process = load(folder, network)
        self.process(None)

    def run(self, path: str | None) -> float:
        return self.process(path)


def main() -> None:
    chosen = options(__doc__)
    ray.init(num_cpus=max(2, chosen.workers), log_to_driver=False, include_dashboard=False)
    actor_class = ray.remote(num_cpus=1)(Worker)
    actors = [actor_class.remote(str(chosen.model), chosen.network) for _ in range(chosen.workers)]
    ray.get([actor.run.remote(None) for actor in actors])
    pool = ActorPool(actors)
    paths = paths_of(chosen)
    _, total_s = timed(lambda: list(pool.map(lambda a, p: a.run.remote(p), paths)))
    report("ray_actors", chosen, total_s)
    ray.shutdown()


if __name__ == "__main__":
    main()
