"""`python -m models.trial REQUEST`: a package run once, with the worker's own code.

REQUEST is JSON: `folder` (with model.json and hashes), `images`, `gpu`, `draw` (a folder,
or null). One JSON line per answer on stdout: `answer` per image, at last `done` or `error`.
Runs under the device's interpreter.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from contract.accelerators.cards import parse_gpu_id
from lambdas.imaging.header import ImageError
from lambdas.model.errors import ModelError
from lambdas.model.hooks import load_hooks
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.worker.accelerator import claim
from lambdas.worker.warm_up import answered, verify
from models.asked import ENVIRONMENT, Say, answer


def run(request: dict[str, Any], say: Say) -> None:
    """Raises `ModelError` where the package cannot serve."""
    package = load_package(request["folder"])
    claimed = claim(parse_gpu_id(str(request.get("gpu", -1))), package)
    runtime = load_runtime(package, claimed.gpu_id.index, claimed.ordinal)
    model = verify(package, runtime, load_hooks(os.environ.get("FANFOLD_HOOKS", "")))
    softmax = model.package.spec.output.softmax
    taken = {Path(name) for name in request["images"]}
    for name in request["images"]:
        start = time.perf_counter()
        try:
            output = answered(model, name)
        except (ImageError, OSError, ValueError) as error:
            say({"image": name, "problem": str(error)})
            continue
        ms = round((time.perf_counter() - start) * 1000, 1)
        drawn = _drawn(Path(name), output, request["draw"], taken) if request.get("draw") else None
        say({"image": name, "output": output, "ms": ms, "drawn": drawn})
    say(
        {"done": {"softmax": softmax, "probes": len(package.spec.probes), "device": runtime.device}}
    )


def _drawn(image: Path, output: dict[str, Any], folder: str, taken: set[Path]) -> str:
    from models.drawing import draw

    try:
        return str(draw(image, output, Path(folder), taken))
    except OSError as error:
        raise ModelError(
            f"{folder}: drawings cannot be written there ({error.strerror}): name a folder"
            " that you may write with --out"
        ) from error


def main() -> int:
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    return answer(run)


if __name__ == "__main__":
    sys.exit(main())
