"""Who may send what to whom, after the table in docs/spec/messages.md.

What no subscription names the core discards without a word.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.topics import Topics
from infra.planning.cores import CONSOLE
from infra.planning.model import CLOUD, Function, Subscription, Thing
from infra.planning.naming import topics_of
from infra.planning.site import Site

ANY = "+"  # the console talks to every stream, and cameras may be many


@dataclass(frozen=True, slots=True)
class _End:
    id: str
    arn: str


def subscriptions(
    site: Site, functions: tuple[Function, ...], devices: tuple[Thing, ...]
) -> tuple[Subscription, ...]:
    """All subscriptions of a site, each once."""
    by_id = {function.id: _End(function.id, function.arn) for function in functions}
    inner = [f for f in functions if f.role not in {"splitter", "aggregator", "grabber"}]
    transforms = [by_id[f.id] for f in inner if f.role == "transform"]
    inference = [by_id[f.id] for f in inner if f.role != "transform"]
    wiring = _Wiring(topics_of(site), by_id["splitter"], by_id["aggregator"])
    found: list[Subscription] = []
    for device in devices:
        end = _End(device.id, device.arn)
        stream = ANY if device.id == CONSOLE else device.id
        found += wiring.device(end, stream)
        if device.id == CONSOLE:
            found += wiring.console(end)
    found += wiring.inside(transforms, inference)
    if "grabber" in by_id:
        [console] = [_End(each.id, each.arn) for each in devices if each.id == CONSOLE]
        found += wiring.fetched(by_id["grabber"], console, [c.name for c in site.sourced])
    found += wiring.cloud(site)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Wiring:
    topics: Topics
    splitter: _End
    aggregator: _End

    def device(self, device: _End, stream: str) -> list[Subscription]:
        """A camera and its stream; the console and all of them."""
        topics = self.topics
        return [
            _one(device, topics.images(stream), self.splitter, "images"),
            _one(self.splitter, topics.accepted(stream), device, "accepted"),
            _one(self.splitter, topics.rejected(stream), device, "rejected"),
            _one(self.aggregator, topics.results_prefix + stream, device, "results"),
            _one(self.aggregator, topics.late_prefix + stream, device, "late"),
        ]

    def console(self, console: _End) -> list[Subscription]:
        topics = self.topics
        return [
            _one(console, topics.control, self.splitter, "control"),
            _one(self.aggregator, topics.jobs, console, "jobs"),
            _one(self.splitter, topics.stats, console, "stats"),
            _one(self.aggregator, topics.stats, console, "stats"),
        ]

    def fetched(self, grabber: _End, console: _End, cameras: list[str]) -> list[Subscription]:
        """For each camera what a camera has; the splitter's stats tell it how far behind it is."""
        topics, found = self.topics, []
        for camera in cameras:
            images = topics.images(camera)
            found += [
                _one(grabber, images, self.splitter, f"images-{camera}"),
                _one(self.splitter, topics.accepted(camera), grabber, f"accepted-{camera}"),
                _one(self.splitter, topics.rejected(camera), grabber, f"rejected-{camera}"),
            ]
        return [
            *found,
            _one(self.splitter, topics.stats, grabber, "stats"),
            _one(grabber, topics.stats, console, "stats"),
        ]

    def inside(self, transforms: list[_End], inference: list[_End]) -> list[Subscription]:
        topics = self.topics
        workers = [*transforms, *inference]
        tensors = [
            _one(source, topics.tensor_prefix + target.id, target, "tensor")
            for source in transforms
            for target in inference
        ]
        return [
            *(
                _one(self.splitter, topics.work_prefix + worker.id, worker, "work")
                for worker in transforms or inference
            ),
            *tensors,
            *(_one(worker, topics.done, self.aggregator, "done") for worker in workers),
            _one(self.splitter, topics.done, self.aggregator, "done"),
            _one(self.aggregator, topics.ack, self.splitter, "ack"),
            *(_one(worker, topics.heartbeat, self.splitter, "heartbeat") for worker in workers),
        ]

    def cloud(self, site: Site) -> list[Subscription]:
        if not site.cloud.mqtt:
            return []
        cloud = _End(CLOUD, CLOUD)
        found = [_one(self.aggregator, self.topics.cloud_results, cloud, "results")]
        if site.job.to_cloud:
            found.append(_one(self.aggregator, self.topics.cloud_jobs, cloud, "jobs"))
        if site.cloud.monitor:
            topic = self.topics.cloud_health
            found += [
                _one(part, topic, cloud, "health") for part in (self.splitter, self.aggregator)
            ]
        return found


def _one(source: _End, subject: str, target: _End, what: str) -> Subscription:
    """The id says who, what, whom: it is what a deployment's error names."""
    return Subscription(f"{source.id}:{what}:{target.id}", source.arn, subject, target.arn)
