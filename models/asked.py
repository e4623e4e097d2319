"""What programs have in common that tooling runs with the device's interpreter.

The request is JSON in their one argument; answers are JSON lines on standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable, Mapping

from lambdas.common.pipes import Answers
from lambdas.model.errors import ModelError

EXIT_FAILED = 1
#: A worker's environment: one thread, and no line at every load.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MXNET_SUBGRAPH_VERBOSE": "0"}

Say = Callable[[Mapping[str, Any]], None]


def answer(run: Callable[[dict[str, Any], Say], None]) -> int:
    """Exit status after `run(request, say)`; a `ModelError` becomes the answer `error`."""
    answers = Answers()
    try:
        run(json.loads(sys.argv[1]), answers.json)
    except ModelError as error:
        answers.json({"error": str(error)})
        return EXIT_FAILED
    return 0
