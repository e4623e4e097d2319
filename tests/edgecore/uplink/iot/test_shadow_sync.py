"""One shadow in two places: what is changed here or in the cloud, apart or together, meets."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgecore.core.shadows import apply_update
from edgecore.uplink.iot.shadow_copy import ShadowCopy
from edgecore.uplink.iot.shadow_merge import SECTIONS, difference, merged, patched, pruned

LEAVES = st.one_of(st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2))
TREES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | LEAVES, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(TREES, TREES)
def test_a_difference_applied_makes_the_one_of_the_other(old: dict, new: dict) -> None:
    assert patched(old, difference(old, new)) == new


@settings(max_examples=200, deadline=None)
@given(TREES, TREES, TREES)
def test_both_sides_are_equal_after_the_patches(base: dict, here: dict, cloud: dict) -> None:
    states = [{"desired": tree, "reported": tree} for tree in (base, here, cloud)]
    to_cloud, to_here = merged(*states)
    for section in ("desired", "reported"):
        made_here = patched(states[1][section], to_here.get(section, {}))
        made_cloud = patched(states[2][section], to_cloud.get(section, {}))
        assert pruned(made_here) == pruned(made_cloud)


def test_the_cloud_has_the_word_on_desired_and_the_device_on_reported() -> None:
    base = {"desired": {"rate": 1}, "reported": {"rate": 1}}
    here = {"desired": {"rate": 2}, "reported": {"rate": 2}}
    cloud = {"desired": {"rate": 3}, "reported": {"rate": 3}}
    assert merged(base, here, cloud) == ({"reported": {"rate": 2}}, {"desired": {"rate": 3}})


class Cloud:
    """AWS IoT's classic shadow: versions, conflicts, answers to everybody."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None

    def get(self, copy_: ShadowCopy) -> None:
        if self.document is None:
            copy_.get_rejected(404, "No shadow exists")
        else:
            copy_.get_accepted(copy.deepcopy(self.document))

    def update(self, change: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        old = self.document
        if old is not None and change.get("version", old["version"]) != old["version"]:
            token = change.get("clientToken")
            return False, {"code": 409, "message": "Version conflict", "clientToken": token}
        plain = {k: v for k, v in change.items() if k == "state"}
        self.document = apply_update(old, plain, 1)
        return True, {**change, "version": self.document["version"]}


class Device:
    def __init__(self) -> None:
        self.copy, self.state, self.cloud = ShadowCopy(), {}, Cloud()

    def connect(self) -> None:
        self.copy.connected()
        self.cloud.get(self.copy)

    def settle(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            ask, to_here = self.copy.settle(self.state)
            if to_here:
                self.state = apply_update({"state": self.state, "metadata": {}, "version": 1},
                    {"state": to_here}, 1)["state"]  # fmt: skip
            if ask is None:
                continue
            accepted, answer = self.cloud.update(ask[1])
            again = (
                self.copy.update_accepted(answer) if accepted else self.copy.update_rejected(answer)
            )
            if again:
                self.connect()

    def agreed(self) -> bool:
        there = self.cloud.document["state"] if self.cloud.document else {}
        sides = [(pruned(self.state.get(s) or {}), pruned(there.get(s) or {})) for s in SECTIONS]
        return all(here == cloud for here, cloud in sides)


def test_what_a_device_reports_reaches_a_cloud_that_has_no_shadow_yet() -> None:
    device = Device()
    device.state = {"reported": {"rate": 5}}
    device.connect()
    device.settle()
    assert device.cloud.document is not None
    assert device.cloud.document["state"]["reported"] == {"rate": 5}
    assert device.agreed()


def test_a_conflict_asks_for_the_document_and_ends_equal() -> None:
    device = Device()
    device.state = {"reported": {"rate": 5}}
    device.connect()
    device.settle()
    device.cloud.update({"state": {"desired": {"rate": 9}}})  # not heard of here
    device.state = {"reported": {"rate": 6}}
    device.settle(6)
    assert device.agreed()
    assert device.state == {"reported": {"rate": 6}, "desired": {"rate": 9}}


def test_a_change_in_the_cloud_while_there_was_no_connection_is_found() -> None:
    device = Device()
    device.connect()
    device.settle()
    device.cloud.update({"state": {"desired": {"rate": 9}}})
    device.copy = ShadowCopy.load(device.copy.dump())  # and the core was started anew
    device.connect()
    device.settle()
    assert device.state["desired"] == {"rate": 9}


def test_a_notice_with_a_gap_in_the_versions_asks_for_the_whole() -> None:
    copy_ = ShadowCopy()
    copy_.get_accepted({"state": {"desired": {"a": 1}}, "version": 4})
    assert copy_.update_accepted({"state": {"desired": {"a": 2}}, "version": 6})
    assert not copy_.update_accepted({"state": {"desired": {"a": 2}}, "version": 4}), "an old one"
    assert not copy_.update_accepted({"state": {"desired": {"a": 2}}, "version": 5})
    assert copy_.cloud["desired"] == {"a": 2}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["here", "cloud", "connect"]),
        st.sampled_from(["desired", "reported"]), TREES,
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_whatever_changes_where_both_sides_end_equal(steps: list[tuple[str, str, dict]]) -> None:
    device = Device()
    device.connect()
    for what, section, tree in steps:
        if what == "here":
            device.state = {**device.state, section: copy.deepcopy(tree)}
        elif what == "cloud":
            device.cloud.update({"state": {section: json.loads(json.dumps(tree))}})
        else:
            device.connect()
            device.settle(1)
    device.connect()
    device.settle(8)
    assert device.agreed()
