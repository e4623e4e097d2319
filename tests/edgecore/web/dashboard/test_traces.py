from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.web.dashboard.traces import (
    MAX_PENDING,
    MAX_TRACES,
    MAX_UNREAD_BYTES,
    ORDER,
    TraceBook,
)

T = 1_790_000_000.0
STAGES = ("queue", "read", "transform", "inference", "order")
times = st.floats(0, 60)


def record(seq: int = 1, t_in: float = T, **ms: float) -> dict[str, Any]:
    return {"stream": "cam1", "seq": seq, "id": f"i{seq}", "status": "ok", "t_in": t_in, "ms": ms}


@given(
    publish=times,
    accept=times,
    way=times,
    cloud=st.none() | times,
    ms=st.dictionaries(st.sampled_from(STAGES), st.floats(0, 1e4)),
)
def test_the_stages_sum_to_the_total(
    publish: float, accept: float, way: float, cloud: float | None, ms: dict[str, float]
) -> None:
    book = TraceBook()
    book.published("cam1", "i1", T)
    book.accepted("cam1", "i1", 1, 1)
    t_in = T + publish + accept
    book.result(record(t_in=t_in, **ms), t_in + way)
    if cloud is not None:
        book.cloud("cam1", 1, t_in + way + cloud)

    trace = book.get("cam1", 1)
    assert trace is not None
    assert sum(trace.stages.values()) == pytest.approx(trace.total_ms, abs=1.0)


def test_the_stages_come_in_the_order_an_image_passes_them() -> None:
    book = TraceBook()
    book.published("cam1", "i1", T - 0.01)
    book.accepted("cam1", "i1", 1, 1)
    book.result(record(queue=3, read=1, transform=8, inference=16, order=0.2), T + 0.05)
    book.cloud("cam1", 1, T + 0.4)

    trace = book.get("cam1", 1)
    assert trace is not None
    assert tuple(s["stage"] for s in trace.as_json()["stages"]) == ORDER
    assert trace.stages["ingest"] == pytest.approx(10, abs=0.01)
    assert trace.stages["cloud"] == pytest.approx(350, abs=0.01)


def test_what_no_part_measured_is_named_handover() -> None:
    book = TraceBook()
    trace = book.result(record(inference=16), T + 0.05)

    assert trace is not None
    assert trace.stages["handover"] == pytest.approx(34, abs=0.01)


def test_an_image_that_the_core_did_not_see_published_starts_at_its_acceptance() -> None:
    trace = TraceBook().result(record(inference=16), T + 0.05)

    assert trace is not None
    assert trace.t_start == T


def test_the_images_of_a_manifest_share_their_publish() -> None:
    book = TraceBook()
    book.published("cam1", "m-17", T - 0.5)
    book.accepted("cam1", "m-17", 41, 3)

    starts = {t.t_start for n in (41, 42, 43) if (t := book.result(record(n), T + 1))}
    assert starts == {T - 0.5}


def test_a_resend_does_not_make_the_wait_shorter() -> None:
    book = TraceBook()
    book.published("cam1", "i1", T - 9)
    book.published("cam1", "i1", T - 1)
    book.accepted("cam1", "i1", 1, 1)

    trace = book.result(record(), T)
    assert trace is not None
    assert trace.total_ms == pytest.approx(9000)


def test_a_second_delivery_to_the_cloud_changes_nothing() -> None:
    book = TraceBook()
    book.result(record(), T)
    book.cloud("cam1", 1, T + 1)
    book.cloud("cam1", 1, T + 60)

    trace = book.get("cam1", 1)
    assert trace is not None
    assert trace.total_ms == pytest.approx(1000)


def test_an_image_is_found_by_its_id() -> None:
    book = TraceBook()
    book.result(record(7), T)

    found = book.find("i7")
    assert found is not None
    assert found.seq == 7
    assert book.find("nobody") is None


def test_publishes_that_nobody_answers_do_not_pile_up() -> None:
    book = TraceBook()
    for n in range(MAX_PENDING + 10):
        book.published("cam1", f"i{n}", T)
    book.accepted("cam1", "i0", 1, 1)
    for n in range(MAX_TRACES + 10):
        book.result(record(n), T)

    assert book.get("cam1", 5) is None
    assert book.get("cam1", MAX_TRACES + 9) is not None


def test_a_manifest_that_claims_a_billion_images_costs_a_bounded_table() -> None:
    book = TraceBook()
    book.published("cam1", "m", T - 1)
    book.accepted("cam1", "m", 1, 10**9)

    trace = book.result(record(1), T)
    assert trace is not None
    assert trace.t_start == T - 1


def test_a_trace_is_made_when_somebody_asks_with_the_start_of_its_publish() -> None:
    book, asked = TraceBook(), []
    book.published("cam1", "m", T - 1)
    book.accepted("cam1", "m", 1, 100)
    book.later(lambda: asked.append(book.result(record(3), T)), 100, 1)
    book.later(lambda: book.cloud("cam1", 3, T + 2), 0, 1)
    assert not asked

    trace = book.get("cam1", 3)
    assert trace is not None
    assert trace.total_ms == pytest.approx(3000)


def test_of_what_nobody_asks_for_the_newest_results_are_kept() -> None:
    book = TraceBook()
    for n in range(MAX_TRACES + 10):
        book.later(lambda n=n: book.result(record(n), T), 1, 1)

    assert book.get("cam1", 9) is None
    assert len(book.slowest(2 * MAX_TRACES)) == MAX_TRACES


def test_results_that_nobody_asks_for_take_a_bounded_number_of_bytes() -> None:
    book = TraceBook()
    for n in range(3):
        book.later(lambda n=n: book.result(record(n), T), 1, MAX_UNREAD_BYTES // 2)

    assert [t.seq for t in sorted(book.slowest(9), key=lambda t: t.seq)] == [1, 2]
