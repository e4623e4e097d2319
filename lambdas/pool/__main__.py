"""`python -m lambdas.pool PACKAGE WORKERS GPUS`: paths on stdin, JSON Lines on stdout."""

from __future__ import annotations

import sys

from contract.messages import dumps
from lambdas.pool.alone import PoolError, run
from lambdas.pool.sizing import parse_gpus


def main(package: str, workers: str, gpus: str) -> int:
    paths = [line.rstrip("\n") for line in sys.stdin]
    try:
        for record in run(paths, package, workers, parse_gpus(gpus)):
            sys.stdout.write(dumps(record) + "\n")
            sys.stdout.flush()
    except (PoolError, ValueError) as error:
        sys.stderr.write(f"pool: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
