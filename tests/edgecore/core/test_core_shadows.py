from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.core.shadows import MAX_DOCUMENT_BYTES, ShadowService, delta, merge

TOPIC = "$aws/things/cam/shadow/"


class Bench:
    def __init__(self, folder: Path) -> None:
        self.published: list[str] = []
        self.service = ShadowService(
            folder, clock=lambda: 7.0, publish=lambda topic, _: self.published.append(topic)
        )

    def ask(self, operation: str, body: object = None) -> dict:
        payload = b"" if body is None else json.dumps(body).encode()
        return json.loads(self.service.invoke(TOPIC + operation, payload))


def test_desired_and_not_reported_is_the_delta(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask("update", {"state": {"desired": {"on": True, "n": {"a": 1, "b": 2}}}})
    bench.ask("update", {"state": {"reported": {"n": {"a": 1}}}})
    document = bench.ask("get")
    assert document["state"]["delta"] == {"on": True, "n": {"b": 2}}
    assert document["version"] == 2
    assert TOPIC + "update/delta" in bench.published


def test_a_shadow_survives_a_restart(tmp_path: Path) -> None:
    Bench(tmp_path).ask("update", {"state": {"reported": {"x": 1}}})
    assert Bench(tmp_path).ask("get")["state"]["reported"] == {"x": 1}


def test_an_old_version_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask("update", {"state": {"reported": {"x": 1}}})
    answer = bench.ask("update", {"state": {"reported": {"x": 2}}, "version": 9})
    assert answer["code"] == 409
    assert bench.ask("get")["state"]["reported"] == {"x": 1}
    assert TOPIC + "update/rejected" in bench.published


def test_a_deleted_or_unknown_shadow_is_404(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.ask("get")["code"] == 404
    bench.ask("update", {"state": {"reported": {"x": 1}}})
    assert "version" in bench.ask("delete")
    assert bench.ask("delete")["code"] == 404


@pytest.mark.parametrize("body", [[], {}, {"state": 1}, {"state": {"x": {}}}])
def test_a_malformed_update_is_400(tmp_path: Path, body: object) -> None:
    assert Bench(tmp_path).ask("update", body)["code"] == 400


def test_a_document_above_8_kb_is_413(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    half = "x" * (MAX_DOCUMENT_BYTES // 2)
    assert "version" in bench.ask("update", {"state": {"reported": {"a": half}}})
    assert bench.ask("update", {"state": {"reported": {"b": half}}})["code"] == 413
    assert "b" not in bench.ask("get")["state"]["reported"]


FLAT = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3))


@given(FLAT, FLAT)
def test_reporting_what_is_desired_leaves_no_delta(desired: dict, reported: dict) -> None:
    assert delta(desired, merge(reported, desired)) == {}
