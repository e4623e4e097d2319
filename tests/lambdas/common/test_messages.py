"""Messages: what is built parses, what is wrong is refused by name, nothing crashes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import messages as m

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "v",
                    "items",
                    "results",
                    "acks",
                    "stream",
                    "seq",
                    "low",
                    "ranges",
                    "low_watermark",
                    "top",
                    "epoch",
                    "worker",
                    "kind",
                    "batch",
                    "batches",
                    "status",
                    "reason",
                    "file",
                    "incarnation",
                    "busy_ms",
                    "sync",
                    "probe",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
PARSERS = [m.parse_work, m.parse_done, m.parse_ack, m.parse_heartbeat]


@given(value=JSON)
def test_what_is_written_is_what_the_library_writes_and_null_for_what_is_no_number(value):
    finite = json.loads(json.dumps(value), parse_constant=lambda _: None)

    assert m.dumps(value) == json.dumps(finite, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("parse", PARSERS)
@given(body=JSON)
def test_any_json_is_understood_or_refused(parse, body):
    try:
        parse(m.dumps(dict(body, v=1) if isinstance(body, dict) else body).encode())
    except m.MessageError as error:
        refused_as = error.reason
    else:
        return
    assert refused_as in m.REJECTED_REASONS


@pytest.mark.parametrize("parse", PARSERS)
@given(payload=st.binary(max_size=200))
def test_any_bytes_are_refused_without_a_crash(parse, payload):
    with pytest.raises(m.MessageError):
        parse(payload)


def test_the_limit_is_exactly_131072_bytes():
    body = {"v": 1, "pad": ""}
    body["pad"] = "x" * (m.MAX_MESSAGE_BYTES - len(m.dumps(body)))
    assert m.decode(m.encode(body)) == body
    body["pad"] += "x"
    with pytest.raises(m.MessageError) as refused:
        m.encode(body)
    assert refused.value.reason == "too_large"


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=6))
def test_results_are_split_over_messages_and_none_is_lost(sizes):
    item = {"stream": "cam1", "file": "f"}
    results = [
        m.result_ok(dict(item, seq=n), "t", {"x": "é" * size}, {})
        for n, size in enumerate(sizes, 1)
    ]
    sent = m.done_messages("b", "w0", "i", {"name": "lite"}, results)

    assert all(len(payload) <= m.MAX_MESSAGE_BYTES for payload in sent)
    parsed = [r for payload in sent for r in m.parse_done(payload).results]
    assert parsed == results


def test_a_result_above_the_limit_ends_as_failed():
    item = {"stream": "cam1", "seq": 1, "file": "f"}
    (sent,) = m.done_messages(
        "b", "w", "i", None, [m.result_ok(item, "t", {"x": "y" * 200_000}, {})]
    )

    (result,) = m.parse_done(sent).results
    assert (result["status"], result["reason"]) == ("failed", "too_large")


@given(st.sets(st.integers(1, 200)))
def test_ranges_cover_exactly_their_numbers(numbers):
    ranges = m.to_ranges(numbers)
    covered = [n for low, high in ranges for n in range(low, high + 1)]
    assert covered == sorted(numbers)
    assert all(a[1] + 1 < b[0] for a, b in zip(ranges, ranges[1:]))


def test_a_number_that_json_has_not_becomes_null():
    assert m.dumps({"score": float("nan"), "box": [float("inf"), 1.0]}) == (
        '{"score":null,"box":[null,1.0]}'
    )


def test_reasons_are_closed_sets():
    with pytest.raises(ValueError, match="not a reason"):
        m.result_failed({"stream": "a", "seq": 1}, "bad_luck", "")
