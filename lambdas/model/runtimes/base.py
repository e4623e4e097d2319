"""The small interface that every model runtime has here."""

from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np

from contract.messages import Record
from lambdas.model.errors import ModelError
from lambdas.model.package import Package
from lambdas.model.spec import Input


class Runtime:
    """A loaded network. One thread calls `infer`."""

    #: The network's outputs in order; numbers where it has no names for them.
    output_names: Sequence[str] = ("0",)

    def __init__(self, package: Package, gpu_id: int, ordinal: int | None = None) -> None:
        """`gpu_id`: the host's index, for people; `ordinal`: what this process calls that card."""
        self.input: Input = package.spec.input
        self.device = "cpu" if gpu_id < 0 else f"gpu({gpu_id})"
        self.ordinal = gpu_id if ordinal is None else ordinal
        #: What the runtime itself tells of its accelerator (`uuid`, `name`).
        self.identity: Record = {}

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        """Outputs for a full batch of `input.shape` (float32), each with the batch first."""
        raise NotImplementedError

    def decodes(self) -> bool:
        """False: the images' pixels are not needed (a measurement without a model)."""
        return True


def missing(module: str, runtime: str) -> ModelError:
    return ModelError(
        f"runtime {runtime} needs the Python package {module}, which is not installed here: "
        f"install it on the device (requirements-device-runtimes.txt has the version) "
        f"or compile the model for another runtime"
    )


def thread_count() -> int:
    """Threads for one network: the plan's OMP_NUM_THREADS, whether a runtime reads it or not."""
    text = os.environ.get("OMP_NUM_THREADS", "") or "1"
    if not text.isdigit() or not int(text):
        raise ModelError(f"OMP_NUM_THREADS={text!r}: use a whole number, 1 at least")
    return int(text)


class Inputs:
    """The network's inputs as its file has them, against model.json; makes what is fed.

    A runtime may cast what does not fit in silence (OpenVINO makes a float batch black in
    a uint8 input), so element types are compared here, at load.
    """

    def __init__(self, package: Package, found: Sequence[tuple[str, Sequence[Any], str]]) -> None:
        """`found`: name, shape and numpy element type of each input. Raises `ModelError`."""
        spec = package.spec
        self._who = f"{spec.name} {spec.version}"
        known = {name: (shape, dtype) for name, shape, dtype in found}
        if spec.input.name not in known:
            names = ", ".join(repr(name) for name in known)
            raise ModelError(
                f"{self._who}: the network's input is {names}, "
                f"model.json says input.name {spec.input.name!r}"
            )
        self.name = spec.input.name
        shape, dtype = known.pop(self.name)
        self._check_shape(shape, spec.input)
        self._dtype = np.dtype(self._checked_dtype(dtype, spec.input))
        self.extra = self._extras(known, spec.input)

    def feed(self, batch: np.ndarray) -> np.ndarray:
        """The batch in the network's own element type."""
        if batch.dtype == self._dtype:
            return batch
        if self._dtype == np.uint8:
            return np.rint(batch).astype(np.uint8)
        return batch.astype(self._dtype)

    def _check_shape(self, shape: Sequence[Any], wanted: Input) -> None:
        fixed = [(a, b) for a, b in zip(shape, wanted.shape) if isinstance(a, int) and a != b]
        if len(shape) != len(wanted.shape) or fixed:
            raise ModelError(
                f"{self._who}: the network takes {list(shape)}, "
                f"model.json says input.shape {list(wanted.shape)}"
            )

    def _checked_dtype(self, dtype: str, wanted: Input) -> str:
        if wanted.dtype and wanted.dtype != dtype:
            raise ModelError(
                f"{self._who}: the network's input {self.name!r} is of {dtype}, model.json says "
                f"input.dtype {wanted.dtype}"
            )
        if dtype not in ("float32", "float16", "float64", "uint8"):
            raise ModelError(
                f"{self._who}: the network's input {self.name!r} is of {dtype}; pictures are given "
                "as float32, float16, float64 or uint8: export it with one of these"
            )
        if dtype == "uint8" and not wanted.raw_pixels:
            raise ModelError(
                f"{self._who}: the network's input {self.name!r} is of uint8 and takes pixels as "
                "they are; remove mean, scale and normalise from input in model.json"
            )
        return dtype

    def _extras(self, left: dict[str, Any], wanted: Input) -> dict[str, np.ndarray]:
        made = {}
        for extra in wanted.extra:
            if extra.name not in left:
                raise ModelError(
                    f"{self._who}: input.extra names {extra.name!r}, the network has no such input"
                    + (f"; it has {', '.join(left)}" if left else "")
                )
            shape, dtype = left.pop(extra.name)
            if dtype != extra.dtype:
                raise ModelError(
                    f"{self._who}: the network's input {extra.name!r} is of {dtype}, "
                    f"input.extra.{extra.name}.dtype says {extra.dtype}"
                )
            made[extra.name] = _shaped(extra.value, extra.dtype, shape, wanted, self._who)
        if left:
            name, (shape, dtype) = next(iter(left.items()))
            raise ModelError(
                f"{self._who}: the network has a second input {name!r} ({dtype} {list(shape)}); "
                f'give it a value that is the same for every picture: "extra": {{"{name}": '
                f'{{"value": …, "dtype": "{dtype}"}}}} under input in model.json'
            )
        return made


def _shaped(value: Any, dtype: str, shape: Sequence[Any], wanted: Input, who: str) -> np.ndarray:
    """A constant in the shape of its input: free axes take the batch, then 1."""
    array = np.array(value, dtype)
    sides = [
        side if isinstance(side, int) else (wanted.batch if axis == 0 else None)
        for axis, side in enumerate(shape)
    ]
    if array.ndim == len(sides):
        sides = [array.shape[axis] if side is None else side for axis, side in enumerate(sides)]
    try:
        return np.ascontiguousarray(np.broadcast_to(array, [1 if s is None else s for s in sides]))
    except ValueError:
        raise ModelError(
            f"{who}: a value in input.extra has the shape {list(array.shape)}, the network takes "
            f"{list(shape)}"
        ) from None
