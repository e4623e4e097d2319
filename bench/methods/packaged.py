"""An image through a package's own runtime and Fanfold's transform, as a worker has them.

For controls with the same compiled package. Device or peers' interpreter.
"""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np


def package_loop(folder: str, gpu: int | None) -> Callable[[str], Sequence[np.ndarray]]:
    """→ function(path): reads, transforms and infers with one thread; loaded and warm."""
    import cv2

    from lambdas.common.paths import read_inside
    from lambdas.imaging.header import MAX_BYTES
    from lambdas.imaging.transform import Transform
    from lambdas.model.package import load_package
    from lambdas.model.runtimes.select import load_runtime

    cv2.setNumThreads(1)
    package = load_package(folder)
    runtime = load_runtime(package, -1 if gpu is None else gpu)
    transform = Transform(package.spec.input, "fast")
    tensor = np.zeros(transform.shape, np.float32)
    runtime.infer(tensor[np.newaxis])

    def process(path: str) -> Sequence[np.ndarray]:
        parent, _, name = path.rpartition("/")
        transform(read_inside(parent, name, MAX_BYTES), tensor, "")
        return runtime.infer(tensor[np.newaxis])

    return process


def package_score(folder: str) -> Callable[[str | None], float]:
    """→ function(path or None) → one number of the first output; None: nothing, it is warm."""
    process = package_loop(folder, None)
    return lambda path: 0.0 if path is None else float(process(path)[0].flat[0])
