"""The canary's own small group: workers of the new model, and nobody else. Pure.

It has its own queues and routes. No subscription leads out of it: not to the splitter, the
aggregator, a device or the cloud, so that nothing in it can become a record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from contract.accelerators.choosing import UUID_VARIABLE, UUIDS_VARIABLE
from edgecore.core.group import Function, Group, MachineLearningModel, Subscription

COMPARER = "canary-comparer"
"""Source of the copies and target of the answers, within the lane."""
HANDLER = "lambdas.inference.handler.handler"
ROLES = ("inference", "pool")
_NOT_ALONE = (
    "FANFOLD_TRANSFORM_WORKERS", "FANFOLD_ON_DEMAND", "FANFOLD_POOL_WORKERS", "FANFOLD_GPU_IDS",
    UUIDS_VARIABLE,
)  # fmt: skip
"""What ties a worker to transform functions, to copies of itself or to a pool."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """``workers``: name → topic of its work; ``done``, ``heartbeat``: topics of their answers."""

    group: Group
    workers: dict[str, str]
    done: str
    heartbeat: str
    images_dir: str


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Where the group that serves sends its work and its answers; ``work`` is a prefix."""

    work: str
    done: str
    images_dir: str


def model_of(group: Group) -> str:
    """What the workers of a group run: the models' folders, named after their content."""
    models = [r for r in group.resources if isinstance(r, MachineLearningModel) and r.path]
    return " ".join(sorted(model.path.name for model in models if model.path))


def topics_of(group: Group) -> Topics | None:
    """None: it has no splitter of ours."""
    variables = group.site_environment
    work, done = variables.get("FANFOLD_WORK_TOPIC", ""), variables.get("FANFOLD_DONE_TOPIC", "")
    images_dir = variables.get("FANFOLD_IMAGES_DIR", "")
    return Topics(work=work, done=done, images_dir=images_dir) if work and done else None


def lane_of(new: Group, count: int) -> Lane | None:
    """``count`` workers of the new group's model; None: it has no worker of ours."""
    found = [f for f in new.lambdas if f.environment.get("FANFOLD_ROLE") in ROLES]
    topics = topics_of(new)
    if not found or topics is None:
        return None
    workers = [_worker(found[i % len(found)], f"canary{i}") for i in range(count)]
    heartbeat = workers[0].environment.get("FANFOLD_HEARTBEAT_TOPIC", "")
    names = {worker.id: topics.work + worker.id for worker in workers}
    routes = []
    for worker in workers:
        routes += [
            (COMPARER, names[worker.id], worker.arn),
            (worker.arn, topics.done, COMPARER),
            (worker.arn, heartbeat, COMPARER),
        ]
    group = replace(
        new,
        functions=tuple(workers),
        subscriptions=tuple(
            Subscription(id=str(i), source=source, subject=subject, target=target)
            for i, (source, subject, target) in enumerate(routes)
        ),
        devices=(),
        secrets=(),
    )
    return Lane(
        group=group, workers=names, done=topics.done, heartbeat=heartbeat,
        images_dir=topics.images_dir,
    )  # fmt: skip


def _worker(function: Function, name: str) -> Function:
    """The new group's function as one pinned worker that reads and transforms images itself."""
    given = function.environment
    alone = {k: v for k, v in given.items() if k not in _NOT_ALONE}
    if gpus := given.get("FANFOLD_GPU_IDS"):
        alone["GPU_ID"] = gpus.partition(",")[0]
    if cards := given.get(UUIDS_VARIABLE):
        alone[UUID_VARIABLE] = cards.partition(",")[0]
    head, _, qualifier = function.arn.rpartition(":")
    return replace(
        function,
        id=name,
        arn=f"{head}-{name}:{qualifier}",
        pinned=True,
        handler=HANDLER,
        environment={**alone, "FANFOLD_ROLE": "inference", "FANFOLD_WORKER": name},
    )
