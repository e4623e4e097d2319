"""`python -m models.compile REQUEST`: what `fanfold model compile` runs (device interpreter).

REQUEST is JSON: `folder` (an unpacked package), `to`, `int8`, `full_range`, `calibrate`,
`min_agreement`, `out`, `force`. Answers are JSON lines on stdout: `step` (with `done` and
`total`), at last `result` or `error`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

import numpy as np

from lambdas.imaging.transform import Transform
from lambdas.model.package import Package, load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.model.tasks.postprocess import describe
from models.asked import ENVIRONMENT, Say, answer
from models.build_demo import write_manifest
from models.compile import agreement, speed
from models.compile.convert import Int8, convert, document, others
from models.compile.images import Images, batches, choose
from models.footprint import measure
from models.package import pack


class Compilation:
    """One request, step by step; `say` takes what goes to stdout as JSON lines."""

    def __init__(self, request: dict[str, Any], say: Say) -> None:
        self._request = request
        self._say = say
        self._package = load_package(request["folder"])
        self._transform = Transform(self._package.spec.input)

    def run(self) -> dict[str, Any]:
        request, package = self._request, self._package
        self._step("read images")
        images = choose(Path(request["calibrate"]), self._transform)
        with tempfile.TemporaryDirectory(prefix="fanfold-compile-") as name:
            folder = Path(name)
            made, network_documents = self._convert(folder, images)
            judged = self._judge(made, images)
            compiled_from = network_documents["compiled_from"]
            compiled_from["agreement"] = judged.document()
            refusal = self._refusal(judged)
            written = None
            if refusal is None or request["force"]:
                self._step("measure speed")
                compiled_from["speed"] = speed.compare(
                    Path(package.folder), folder, self._progress("measure speed")
                )
                self._step("measure footprint")
                network_documents["footprint"] = measure(folder, images.judge[0], repeats=10)
                self._step("pack")
                written = pack(folder, network_documents, Path(request["out"]))
            return {
                "agreement": judged.document(),
                "refusal": refusal,
                "speed": compiled_from.get("speed"),
                "footprint": network_documents.get("footprint"),
                "images": {
                    "calibrate": len(images.calibrate), "judge": len(images.judge),
                    "shared": images.shared, "skipped": images.skipped,
                },
                "package": written and {
                    "path": str(written.path), "sha256": written.sha256,
                    "bytes": written.size_bytes, "version": written.spec.version,
                },
            }  # fmt: skip

    def _convert(self, folder: Path, images: Images) -> tuple[Package, dict[str, Any]]:
        request, package = self._request, self._package
        int8 = None
        if request["int8"]:
            progress = self._progress("calibrate")
            spec = package.spec.input
            calibration = batches(images.calibrate, spec, self._transform, progress)
            int8 = Int8(calibration, request["full_range"])
        files = convert(package, request["to"], int8, folder, self._step)
        for name in others(package):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((Path(package.folder) / name).read_bytes())
        model = document(package, request["to"], files, self._compiled_from(images))
        write_manifest(folder, model)
        return load_package(str(folder)), model

    def _compiled_from(self, images: Images) -> dict[str, Any]:
        spec = self._package.spec
        return {
            **spec.identity,
            "runtime": spec.runtime,
            "precision": "int8" if self._request["int8"] else "fp32",
            "calibrated_on": len(images.calibrate) if self._request["int8"] else 0,
            "full_range": self._request["full_range"],
            "tools": _versions(),
        }

    def _judge(self, made: Package, images: Images) -> agreement.Agreement:
        self._step("compare")
        spec = self._package.spec
        runtimes = [load_runtime(package, -1) for package in (self._package, made)]
        answers: list[list[dict[str, Any]]] = [[], []]
        progress = self._progress("compare")
        for batch in batches(images.judge, spec.input, self._transform, progress):
            for runtime, told in zip(runtimes, answers):
                outputs = runtime.infer(batch)
                rows = min(spec.input.batch, len(images.judge) - len(told))
                told += [describe([o[row] for o in outputs], [], spec) for row in range(rows)]
        return agreement.compare(spec.task, answers[0], answers[1])

    def _refusal(self, judged: agreement.Agreement) -> str | None:
        limit = self._request["min_agreement"]
        if judged.value is None:
            return (
                f"agreement cannot be judged: at threshold {self._package.spec.threshold} the "
                f"original finds no box on these {judged.images} images. Give images with objects "
                "to --calibrate, or write the package anyway with --force"
            )
        if judged.value >= limit:
            return None
        ways = "more images like those of the device"
        if self._request["int8"] and not self._request["full_range"]:
            ways += ", --full-range if the device's CPU has VNNI"
        return (
            f"agreement with the original is {judged.value:.4f}, below --min-agreement {limit} "
            f"({judged.note}). Try {ways}, or another --to; --force writes the package anyway"
        )

    def _step(self, name: str, done: int = 0, total: int = 0) -> None:
        self._say({"step": name, "done": done, "total": total})

    def _progress(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self._step(name, done, total)


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3])), "numpy": np.__version__}
    for name in ("mxnet", "onnx", "onnxruntime", "openvino"):
        if name in sys.modules:
            found[name] = str(sys.modules[name].__version__).split("-")[0]
    return found


def main() -> int:
    os.environ.update(ENVIRONMENT)
    return answer(lambda request, say: say({"result": Compilation(request, say).run()}))


if __name__ == "__main__":
    sys.exit(main())
