"""What a model has to show before it may serve: shapes, finite values, labels, scores,
corners, and the package's own probe pictures. A failure is one sentence (`ModelError`)."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, NamedTuple, Sequence

import numpy as np

from contract.regions import Regions
from lambdas.imaging.header import ImageError
from lambdas.imaging.transform import Transform
from lambdas.model.dividing import Divider, whole_outputs
from lambdas.model.errors import ModelError
from lambdas.model.geometry import Size
from lambdas.model.hooks import Context, Hooks
from lambdas.model.input_spec import Input
from lambdas.model.package import Package
from lambdas.model.probe_spec import Probe
from lambdas.model.probing import difference
from lambdas.model.runtimes.base import Runtime
from lambdas.model.spec import ModelSpec
from lambdas.model.tasks.fit import UnfitError, finite, tensors
from lambdas.model.tasks.postprocess import Task

_SEED = 20190530
_SUM_SLACK = 1e-3


class Model(NamedTuple):
    """A package that has proved itself, its network loaded, and the user's code around it."""

    package: Package
    runtime: Runtime
    hooks: Hooks
    task: Task
    divider: Divider


def verify(package: Package, runtime: Runtime, hooks: Hooks, mode: str = "fast") -> Model:
    """Run the network on made pictures and on the package's probes. Raises `ModelError`."""
    spec = package.spec
    who = f"{spec.name} {spec.version} fails its warm-up"
    tried = [runtime.infer(picture) for picture in made_pictures(spec.input)]
    try:
        if not spec.simulated:
            for outputs in tried:
                tensors(outputs, runtime.output_names, hooks.postprocess is not None)
            package = _resolved(package, tried, hooks)
        model = _model(package, runtime, hooks, tried)
        if not spec.simulated:
            _check_made(model, tried)
    except UnfitError as error:
        raise ModelError(f"{who}: {error}") from None
    for probe in spec.probes:
        problem = probed(model, probe, mode)
        if problem:
            raise ModelError(f"{who}: probe {probe.file}: {problem}")
    return model


def made_pictures(spec: Input) -> list[np.ndarray]:
    """Batches of a black, a grey and a noisy picture, as the transform would make them."""
    noise = np.random.RandomState(_SEED).randint(0, 256, spec.shape).astype(np.float32)
    pixels = [np.zeros(spec.shape, np.float32), np.full(spec.shape, 128, np.float32), noise]
    axes = (1, -1, 1, 1) if spec.layout == "NCHW" else (1, 1, 1, -1)
    mean = np.array(spec.mean, np.float32).reshape(axes)
    scale = np.array(spec.scale, np.float32).reshape(axes)
    return [np.ascontiguousarray((each - mean) * scale) for each in pixels]


def probed(model: Model, probe: Probe, mode: str) -> str | None:
    """What is wrong with the answer to a probe; None: it is right."""
    try:
        answer = answered(model, os.path.join(model.package.folder, probe.file), mode)
    except (UnfitError, ImageError, OSError) as error:
        return str(error)
    except Exception as error:  # the user's code
        return f"{type(error).__name__}: {error}"
    return difference(probe, answer, model.package.spec.threshold)


def answered(model: Model, path: str, mode: str = "fast") -> dict[str, Any]:
    """`output` of the result for one picture file."""
    spec = model.package.spec
    with open(path, "rb") as file:
        data = file.read()
    batch = np.zeros(spec.input.shape, np.float32)
    size = Transform(spec.input, mode, model.hooks.transform)(data, batch[0])
    outputs = model.divider(model.runtime.infer(batch), 1)[0]
    return output_of(model, outputs, size, os.path.basename(path))


def output_of(
    model: Model,
    outputs: list[np.ndarray],
    size: Size,
    name: str,
    regions: Regions | None = None,
) -> dict[str, Any]:
    """`output` of one result: by the user's code or by the task."""
    if model.hooks.postprocess is None:
        return model.task(outputs, size, regions)
    package = model.package
    spec = package.spec
    labels = tuple(package.labels)
    whole = size.width, size.height
    context = Context(name, whole, labels, spec.threshold, spec.input, size.cut)
    return model.hooks.postprocess(outputs, context)


def _model(
    package: Package, runtime: Runtime, hooks: Hooks, tried: Sequence[list[np.ndarray]]
) -> Model:
    task = Task(package.spec, package.labels, runtime.output_names)
    whole = whole_outputs(package.spec, task.roles, tried)
    divider = Divider(package.spec, runtime.output_names, task.roles, whole)
    return Model(package, runtime, hooks, task, divider)


def _resolved(package: Package, tried: Sequence[list[np.ndarray]], hooks: Hooks) -> Package:
    """With `output.softmax` as the network's answers show it, where nobody has said it."""
    spec = package.spec
    if spec.task != "classification" or hooks.postprocess is not None:
        return package
    scores = [outputs[0] for outputs in tried]
    kind = _kind_of_scores(scores, spec)
    _refuse_decided(scores, kind, spec)
    if spec.output.softmax is None and spec.output.activation == "none":
        output = dataclasses.replace(spec.output, softmax=kind == "logits")
        return package._replace(spec=dataclasses.replace(spec, output=output))
    if spec.output.softmax and kind == "probabilities":
        raise UnfitError(
            "output.softmax is true and the network's scores sum to 1 already: twice makes all "
            "classes look alike; set output.softmax to false"
        )
    if spec.output.softmax is False and spec.output.activation == "none" and kind == "logits":
        worst = max((float(o[0].max()) for o in tried), key=abs)
        raise UnfitError(
            f"output.softmax is false and the network gives scores outside 0…1 ({worst:.4g}): "
            "these are logits; set output.softmax to true"
        )
    return package


def _refuse_decided(scores: Sequence[np.ndarray], kind: str, spec: ModelSpec) -> None:
    """Numbers of classes are no scores, and the softmax of one score is 1 whatever it is."""
    if scores[0].dtype.kind in "iu" and scores[0].dtype.itemsize >= np.int32().itemsize:
        raise UnfitError(
            f"the network gives numbers of classes ({scores[0].dtype}), not a score for each: "
            "export it without its ArgMax"
        )
    one = scores[0].size == spec.input.batch
    if one and (spec.output.softmax or (spec.output.activation == "none" and kind == "logits")):
        raise UnfitError(
            "the network gives one score, and the softmax of one is always 1: set "
            "output.activation to sigmoid if it answers yes or no"
        )


def _kind_of_scores(outputs: Sequence[np.ndarray], spec: ModelSpec) -> str:
    """ "probabilities" (0…1, each row sums to 1), "scores" (0…1) or "logits"."""
    values = [finite(o, "scores").reshape(spec.input.batch, -1) for o in outputs
              if o.size % spec.input.batch == 0]  # fmt: skip
    if not values or any(v.min(initial=0) < 0 or v.max(initial=0) > 1 + _SUM_SLACK for v in values):
        return "logits"
    sums = np.concatenate([v.sum(axis=1) for v in values])
    return "probabilities" if np.abs(sums - 1).max() <= _SUM_SLACK else "scores"


def _check_made(model: Model, tried: Sequence[list[np.ndarray]]) -> None:
    """Every answer has to fit; a hook may refuse some made pictures, but not all."""
    size = Size(model.package.spec.input.width_px, model.package.spec.input.height_px)
    refused = []
    for outputs in tried:
        _check_finite(model, outputs)
        for of_image in model.divider(outputs, model.package.spec.input.batch):
            try:
                output_of(model, of_image, size, "warm-up")
            except UnfitError:
                raise
            except Exception as error:
                if model.hooks.postprocess is None:
                    raise
                refused.append(f"{type(error).__name__}: {error}")
    if len(refused) == len(tried) * model.package.spec.input.batch:
        raise UnfitError(f"the hook `postprocess` fails on every picture: {refused[0]}")


def _check_finite(model: Model, outputs: Sequence[np.ndarray]) -> None:
    for name, output in zip(model.runtime.output_names, outputs):
        if output.dtype.kind == "f":
            finite(output, f"values in output {name!r}")
