"""Which new groups are compared before they replace the one that runs; the last one's report."""

from __future__ import annotations

import logging

from contract.status import CanaryStatus
from edgecore.canary.canary import Parts, RunningCanary
from edgecore.canary.lane import lane_of, model_of, topics_of
from edgecore.canary.rule import rule_of
from edgecore.sources.load import LoadedGroup

log = logging.getLogger(__name__)


class Canaries:
    """``find`` for every deployment; ``status`` of the last canary, an earlier core's too."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last: RunningCanary | None = None
        self._earlier = parts.report_store.report()

    def find(self, running: LoadedGroup, new: LoadedGroup) -> RunningCanary | None:
        """None: the site asks for none, or there is nothing to compare.

        A model that has served here to the end of its trial needs none: a roll-back by an
        operator must not wait for the model that it replaces.
        """
        rule = rule_of(new.group.site_environment)
        old_model, new_model = model_of(running.group), model_of(new.group)
        if rule is None or not rule.workers or not old_model or old_model == new_model:
            return None
        if self._parts.report_store.has_served(new_model):
            log.info("deployment %s: its model has served here before; no canary",
                new.deployment_id)  # fmt: skip
            return None
        topics, lane = topics_of(running.group), lane_of(new.group, rule.workers)
        if topics is None or lane is None:
            return None
        if topics.images_dir != lane.images_dir:
            log.warning(
                "deployment %s: no canary, because its images volume is %s and not %s",
                new.deployment_id, lane.images_dir, topics.images_dir,
            )  # fmt: skip
            return None
        return RunningCanary(self._parts, rule, lane, topics, new.deployment_id)

    def begin(self, running: LoadedGroup, new: LoadedGroup) -> RunningCanary | None:
        """As ``find``; it is run next, and is the last one from now on."""
        found = self.find(running, new)
        self._last = found or self._last
        return found

    def committed(self, loaded: LoadedGroup) -> None:
        if model := model_of(loaded.group):
            self._parts.report_store.record_served(model)

    def status(self) -> CanaryStatus | None:
        """Without the worst disagreements, which are in the report's file."""
        if self._last is not None:
            return self._last.status()
        if self._earlier is None:
            return None
        return {k: v for k, v in self._earlier.items() if k != "worst"}  # type: ignore[return-value]
