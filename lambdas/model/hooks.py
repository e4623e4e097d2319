"""The user's own code around the network: the module that FANFOLD_HOOKS names.

    def transform(image: numpy.ndarray) -> numpy.ndarray:
        '''H×W×3 uint8, in the model's colour order, upright → the same kind, any size.'''

    def postprocess(outputs: list[numpy.ndarray], context) -> dict:
        '''The network's outputs for one image, no batch axis → `output` of the result.'''

Either may be absent, and `context` (see `Context`) may be left out. An exception in one
costs that image a `failed` record (`model_error`).
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Callable, NamedTuple, Protocol

import numpy as np

from lambdas.model.errors import ModelError
from lambdas.model.geometry import Cut, placement
from lambdas.model.input_spec import Input


class Transform(Protocol):
    """Between decoding and the resize; called from one thread of each worker."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """H×W×3 uint8 (H×W for a network of one channel) → the same kind, any size."""


class Context(NamedTuple):
    """What `postprocess` may want to know of the image and of the package.

    `name`: the image's file. `size`: width and height of the upright image. `labels`:
    the names of classes. `threshold`: the package's. `input`: how the image became the
    network's input (`input.width_px`, `input.height_px`, …). `cut`: left, top, width and
    height of the part that it is shown, where the site gives the camera a region.
    """

    name: str
    size: tuple[int, int]
    labels: tuple[str, ...]
    threshold: float
    input: Input
    cut: Cut | None = None

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """A point of the network's input, in pixels → fractions (0…1) of the image."""
        return placement(self.input, *self.size, self.cut).back(x, y)


class Postprocess(Protocol):
    """From the network's outputs to the result."""

    def __call__(self, outputs: list[np.ndarray], context: Context) -> dict[str, Any]:
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
    if hooks.postprocess is not None:
        hooks = hooks._replace(postprocess=_with_context(hooks.postprocess))
    return hooks


def _with_context(postprocess: Callable[..., Any]) -> Postprocess:
    """A function of the outputs alone is called with them alone."""
    try:
        wanted = inspect.signature(postprocess).parameters.values()
    except (TypeError, ValueError):  # not written in Python
        return postprocess
    positional = [p for p in wanted if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) > 1 or any(p.kind is p.VAR_POSITIONAL for p in wanted):
        return postprocess
    return lambda outputs, context: postprocess(outputs)  # noqa: ARG005
