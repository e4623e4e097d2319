"""Which new groups are taken by a running one, worker by worker, and which begin anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecore.core.group import (
    Function,
    Group,
    LocalVolume,
    MachineLearningModel,
    ResourceAccess,
    Subscription,
    Thing,
)
from edgecore.daemon.model_swap import takers

MODEL = MachineLearningModel(
    id="model", name="model", s3_uri="s3://b/1.tar.gz", destination_path="/m", path=Path("/c/1")
)
VOLUME = LocalVolume(id="images", name="images", source_path="/i", destination_path="/i")
CORE = Thing(id="core", thing_name="core", thing_arn="arn:core", certificate_arn="arn:c")


def function(name: str, *resources: str, handler: str = "work.handler", **more: str) -> Function:
    return Function(
        id=name, arn=f"arn:{name}", pinned=True, handler=handler, environment=more,
        access=tuple(ResourceAccess(resource_id=each) for each in resources),
    )  # fmt: skip


def worker(name: str, **more: str) -> Function:
    return function(name, "model", "images", FANFOLD_WORKER=name, **more)


def group(*functions: Function, **changes: object) -> Group:
    made = Group(
        name="g", id="g", version="1", region="r", core=CORE, resources=(MODEL, VOLUME),
        functions=(function("splitter", "images", handler="split.handler"), *functions),
        subscriptions=(Subscription(id="s", source="cloud", subject="a", target="arn:w0"),),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


OLD = group(worker("w0"), worker("w1"))
NEWER = replace(MODEL, s3_uri="s3://b/2.tar.gz", path=Path("/c/2"))


def test_of_a_new_model_the_workers_take_it_and_no_other_function() -> None:
    new = replace(OLD, version="2", resources=(NEWER, VOLUME))

    assert [each.id for each in takers(OLD, new)] == ["w0", "w1"]


def test_the_hash_in_a_published_models_address_is_the_models() -> None:
    pinned = [worker(name, FANFOLD_MODEL_SHA256="b" * 64) for name in ("w0", "w1")]
    old = group(worker("w0", FANFOLD_MODEL_SHA256="a" * 64), worker("w1"))

    found = takers(old, group(*pinned, resources=(NEWER, VOLUME)))

    assert [each.environment["FANFOLD_MODEL_SHA256"] for each in found] == ["b" * 64] * 2
    assert takers(old, group(*pinned)) == ()


@pytest.mark.parametrize(
    "new",
    [
        replace(OLD, version="2"),
        replace(OLD, resources=(NEWER, replace(VOLUME, source_path="/j"))),
        replace(OLD, resources=(NEWER,)),
        replace(OLD, resources=(replace(NEWER, destination_path="/n"), VOLUME)),
        replace(OLD, resources=(NEWER, VOLUME), subscriptions=()),
        group(worker("w0"), resources=(NEWER, VOLUME)),
        group(worker("w0"), worker("w1", OMP_NUM_THREADS="2"), resources=(NEWER, VOLUME)),
    ],
    ids=[
        "nothing", "a volume", "a resource less", "its place", "a route", "a worker less",
        "threads",
    ],
)  # fmt: skip
def test_a_group_that_differs_in_more_or_in_no_model_begins_anew(new: Group) -> None:
    assert takers(OLD, new) == ()


@pytest.mark.parametrize(
    "functions",
    [
        (function("w0", "model"), function("w1", "model")),
        (worker("w0"), function("t0", "model", handler="transform.handler")),
        (
            worker("w0", FANFOLD_TRANSFORM_WORKERS="t0"),
            worker("w1", FANFOLD_TRANSFORM_WORKERS="t0"),
        ),
        (replace(worker("w0"), pinned=False),),
    ],
    ids=["somebody else's", "two kinds", "fed with tensors", "on demand"],
)
def test_functions_that_do_not_stand_in_for_one_another_begin_anew(
    functions: tuple[Function, ...],
) -> None:
    old = group(*functions)

    assert takers(old, replace(old, resources=(NEWER, VOLUME))) == ()
