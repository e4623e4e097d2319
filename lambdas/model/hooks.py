"""The user's own code around the network: the module that FANFOLD_HOOKS names.

    def transform(image: numpy.ndarray) -> numpy.ndarray:
        '''H×W×3 uint8, in the model's colour order, upright → the same kind, any size.'''

    def postprocess(outputs: list[numpy.ndarray]) -> dict:
        '''The network's outputs for one image, no batch axis → `output` of the result.'''

Either may be absent. An exception in one costs that image a `failed` record (`model_error`).
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple, Protocol

import numpy as np

from lambdas.model.spec import ModelError


class Transform(Protocol):
    """Between decoding and the resize; called from one thread of each worker."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """H×W×3 uint8 → the same kind, any size."""


class Postprocess(Protocol):
    """From the network's outputs to the result."""

    def __call__(self, outputs: list[np.ndarray]) -> dict[str, Any]:
        """One image's outputs, no batch axis → what JSON can hold."""


class Hooks(NamedTuple):
    transform: Transform | None = None
    postprocess: Postprocess | None = None


def load_hooks(module: str) -> Hooks:
    """Import `module` ("" is none). Raises `ModelError`."""
    if not module:
        return Hooks()
    try:
        found = importlib.import_module(module)
    except Exception as error:  # it is the user's code: anything may come out of it
        raise ModelError(
            f"FANFOLD_HOOKS={module}: cannot be imported: {type(error).__name__}: {error}"
        ) from error
    hooks = Hooks(getattr(found, "transform", None), getattr(found, "postprocess", None))
    if not any(hooks) or not all(hook is None or callable(hook) for hook in hooks):
        raise ModelError(f"FANFOLD_HOOKS={module}: define functions `transform` or `postprocess`")
    return hooks
