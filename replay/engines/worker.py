"""`python -m replay.engines.worker`: the local engine's process. Shards in, outcomes out.

First line: the job; then a shard a line. It answers that it has begun, or why it cannot; then one
line of JSON for each shard that ended, and none for those in hand when this process dies.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from lambdas.common.pipes import Answers
from replay.cut import shard_of
from replay.engines.local import LANES
from replay.errors import CannotLoadError, OverloadedError, ReplayError
from replay.opening import place_of
from replay.runner import Runner
from replay.shard import Job, run_shard


def main() -> int:
    answers = Answers()
    job = Job(**json.loads(sys.stdin.readline()))
    try:
        archive, store = place_of(job.source), place_of(job.out)
        runner = Runner(job.package, job.workers, job.gpus, job.python)
    except (ReplayError, ValueError) as error:
        answers.json({"cannot": str(error)})
        return 1
    answers.json({"began": True})

    def one(line: str) -> None:
        shard = shard_of(line)
        try:
            outcome = run_shard(shard, job.model, archive, store, runner)
        except CannotLoadError as error:
            answers.json({"key": shard.key, "unable": str(error)})
        except OverloadedError as error:
            answers.json({"key": shard.key, "again": str(error)})
        except ReplayError as error:
            answers.json({"key": shard.key, "error": str(error)})
        except Exception as error:
            answers.json({"key": shard.key, "error": f"{type(error).__name__}: {error}"})
        else:
            answers.json({"key": shard.key, "done": outcome._asdict()})

    with ThreadPoolExecutor(LANES) as lanes:
        for line in sys.stdin:
            lanes.submit(one, line)
    runner.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
