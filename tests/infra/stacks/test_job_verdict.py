"""When a job for a thing or a thing group counts as failed, and whom it is for."""

from __future__ import annotations

from typing import Any

import pytest

from infra.deployer.verdict import failed, group_of, members, selection

RULE = {"criteriaList": [{"thresholdPercentage": 20.0, "minNumberOfExecutedThings": 3}]}


def fleet(**counts: int) -> dict[str, str]:
    """So many devices of each status."""
    return {f"{status}-{n}": status for status, count in counts.items() for n in range(count)}


@pytest.mark.parametrize(
    ("devices", "rule", "wanted"),
    [
        (fleet(SUCCEEDED=2, QUEUED=1), None, False),
        (fleet(SUCCEEDED=9, FAILED=1), None, True),
        (fleet(SUCCEEDED=9, FAILED=1), RULE, False),
        (fleet(SUCCEEDED=4, TIMED_OUT=1), RULE, True),
        (fleet(SUCCEEDED=1, REJECTED=1), RULE, False),
        (fleet(QUEUED=5, FAILED=2), RULE, False),
        (fleet(FAILED=1), RULE, True),
        (fleet(), None, False),
    ],
)
def test_one_bad_device_fails_a_deployment_unless_an_abort_rule_decides(
    devices: dict[str, str], rule: dict[str, Any] | None, wanted: bool
) -> None:
    assert failed("IN_PROGRESS", devices, rule) is wanted


def test_what_aws_has_aborted_has_failed() -> None:
    assert failed("CANCELED", fleet(SUCCEEDED=9, FAILED=1), RULE)
    assert not failed("CANCELED", fleet(SUCCEEDED=3), RULE)  # superseded by a later one


def test_a_job_for_a_group_goes_on_for_things_that_join_it() -> None:
    arn = "arn:aws:iot:us-east-1:123456789012:"

    assert (group_of(f"{arn}thinggroup/boxes"), selection(f"{arn}thinggroup/boxes")) == (
        "boxes", "CONTINUOUS",
    )  # fmt: skip
    assert (group_of(f"{arn}thing/one"), selection(f"{arn}thing/one")) == (None, "SNAPSHOT")


def test_all_pages_of_a_groups_members_are_read() -> None:
    class Pages:
        def list_things_in_thing_group(self, **asked: str) -> dict[str, Any]:
            if asked.get("nextToken"):
                return {"things": ["c"]}
            return {"things": ["a", "b"], "nextToken": "more"}

    assert members(Pages(), "boxes") == ["a", "b", "c"]
