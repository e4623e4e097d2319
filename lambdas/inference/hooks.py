"""The user's own code around the network: the module that FANFOLD_HOOKS names.

    def transform(image: numpy.ndarray) -> numpy.ndarray:
        '''H×W×3 uint8, in the model's colour order, upright → the same kind, any size.'''

    def postprocess(outputs: list[numpy.ndarray]) -> dict:
        '''The network's outputs for one image, no batch axis → `output` of the result.'''

Either may be absent. An exception in one costs that image a `failed` record (`model_error`).
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, NamedTuple

from lambdas.inference.model_spec import ModelError


class Hooks(NamedTuple):
    transform: Callable[[Any], Any] | None = None
    postprocess: Callable[[Any], Any] | None = None


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
