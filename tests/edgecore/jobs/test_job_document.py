"""Whatever a document holds, it is a job or a refusal in one sentence: no document stops a core."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.jobs.document import JobDocument, JobRefused, parse

ARTIFACT = {"uri": "https://files/x", "sha256": "0" * 64, "size": 1}
WHOLE: dict[str, Any] = {
    "v": 1, "site": "hall", "issued_at": 1_800_000_000, "timeout_s": 600, "group": ARTIFACT,
    "code": [{"arns": ["a"], **ARTIFACT}], "model": {"resources": ["m"], **ARTIFACT},
    "core": {"version": "1.0.0", **ARTIFACT}, "per_thing": False,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def outcome(document: object) -> str:
    """Why it is refused; "": it is a job."""
    try:
        assert isinstance(parse(document, site="hall"), JobDocument)
    except JobRefused as refusal:
        return str(refusal)
    return ""


def test_the_whole_one_is_a_job() -> None:
    assert outcome(WHOLE) == ""


@given(st.sampled_from(sorted(WHOLE)), JSON)
def test_any_value_in_any_field_is_a_job_or_a_refusal(name: str, value: Any) -> None:
    assert "\n" not in outcome({**WHOLE, name: value})


@given(
    st.sampled_from(["group", "model", "core"]),
    st.sampled_from(["uri", "sha256", "size", "resources", "version"]),
    JSON,
)
def test_any_value_in_an_artifact_is_a_job_or_a_refusal(part: str, name: str, value: Any) -> None:
    assert "\n" not in outcome({**WHOLE, part: {**WHOLE[part], name: value}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issued_at": 1_800_000_000_000}, "give epoch seconds"),
        ({"model": {**ARTIFACT, "resources": 5}}, "resources is no list"),
        ({"group": {**ARTIFACT, "uri": "https://[half"}}, "Invalid IPv6 URL"),
    ],
)
def test_what_would_mislead_or_end_the_core_is_refused(change: dict[str, Any], said: str) -> None:
    assert said in outcome({**WHOLE, **change})
