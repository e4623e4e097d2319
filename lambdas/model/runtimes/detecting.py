"""A network that ends before its detections, and what makes them: together one runtime."""

from __future__ import annotations

import numpy as np

from lambdas.model.errors import ModelError
from lambdas.model.runtimes.base import Runtime
from lambdas.model.tasks.ssd import Detector
from lambdas.model.tasks.ssd_spec import DetectionRule


class DetectingRuntime(Runtime):
    """Class scores (B×C×N) and box offsets (B×4N) of `network` → B×N×6."""

    def __init__(self, network: Runtime, rule: DetectionRule) -> None:
        self.input = network.input
        self.device = network.device
        self.identity = network.identity
        self.output_names = ("detections",)
        self._network = network
        self._detector = Detector(rule)

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        scores, offsets = self._checked(self._network.infer(batch))
        return [self._detector(scores, offsets)]

    def _checked(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        count = self._detector.count
        shapes = [output.shape for output in outputs]
        fits = len(shapes) == 2 and len(shapes[0]) == 3 and shapes[0][1] >= 2
        if not fits or shapes[0][2] != count or shapes[1][1:] != (4 * count,):
            raise ModelError(
                f"output.detection makes {count} prior boxes and needs scores B×classes×{count} "
                f"and offsets B×{4 * count}; the network gave {shapes}"
            )
        return outputs
