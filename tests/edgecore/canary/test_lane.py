"""The lane of a canary: workers of the new model in every strategy, and no way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan_samples import STRATEGIES, document

from edgecore.canary.lane import COMPARER, HANDLER, lane_of, topics_of
from edgecore.core.group import CLOUD, SHADOW_SERVICE, Group
from edgecore.sources.document import to_group


def group_of(strategy: str, profile: str = "two-gpu-industrial-pc") -> Group:
    return to_group(document(profile, strategy), base=Path("/state"))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_message_of_a_canary_worker_goes_anywhere_but_to_the_comparer(strategy):
    lane = lane_of(group_of(strategy), 2)
    assert lane is not None
    workers = {f.arn for f in lane.group.functions}

    for each in lane.group.subscriptions:
        assert (each.source in workers and each.target == COMPARER) or (
            each.source == COMPARER and each.target in workers
        )
    assert not {CLOUD, SHADOW_SERVICE} & {s.target for s in lane.group.subscriptions}
    assert lane.group.devices == ()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_canary_worker_reads_and_answers_images_by_itself(strategy):
    lane = lane_of(group_of(strategy), 2)
    assert lane is not None

    assert list(lane.workers) == ["canary0", "canary1"]
    assert len({f.arn for f in lane.group.functions}) == 2
    for function in lane.group.functions:
        given = function.environment
        assert (function.pinned, function.handler) == (True, HANDLER)
        assert (given["FANFOLD_ROLE"], given["FANFOLD_WORKER"]) == ("inference", function.id)
        assert given["GPU_ID"] == "0" if function.id == "canary0" else "GPU_ID" in given
        assert not {"FANFOLD_TRANSFORM_WORKERS", "FANFOLD_ON_DEMAND", "FANFOLD_POOL_WORKERS"} & {
            *given
        }
        assert lane.workers[function.id] == f"press/work/{function.id}"


def test_a_group_of_somebody_else_has_no_lane(tmp_path: Path):
    from groups import document as foreign

    group = to_group(foreign(str(tmp_path)), base=tmp_path)

    assert lane_of(group, 1) is None
    assert topics_of(group) is None
