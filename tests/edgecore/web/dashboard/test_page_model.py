from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from dashboard_replay import MODEL, jpeg
from hypothesis import given
from hypothesis import strategies as st
from page_messages import T, record, status

from edgecore.core.observers import Message
from edgecore.web.dashboard.inline import ID_EVERY_S, MAX_KEPT, InlineImages, message_id
from edgecore.web.dashboard.page_model import PageModel
from edgecore.web.dashboard.ports import SiteView
from edgecore.web.dashboard.streams import StreamTable
from edgecore.web.dashboard.workers import RATE_WINDOW_S, WorkerBoard

VIEW = SiteView(site="demo", cameras=("cam1",), cloud_topic="fanfold/demo/results")


def message(topic: str, body: object, t: float = T) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(t=t, topic=topic, payload=payload)


def ordered(*records: dict[str, Any], t: float = T) -> Message:
    return message("demo/results/cam1", {"v": 1, "results": list(records)}, t)


def test_an_image_sent_inline_is_shown_though_its_file_is_deleted_when_it_is_done() -> None:
    page_model, content = PageModel(VIEW), jpeg(64, 48)
    image_id = "sha256:" + hashlib.sha256(content).hexdigest()[:32]
    page_model.observe(message("demo/images/cam1", content))
    page_model.observe(ordered(record(id=image_id, file=".fanfold/inbox/cam1/x.jpg")))

    assert [e["id"] for e in page_model.gallery.latest()] == [image_id]
    assert page_model.inline.get(image_id) == content


def test_an_inline_image_that_was_not_kept_is_not_shown_without_its_picture() -> None:
    page_model = PageModel(VIEW)
    page_model.observe(ordered(record(file=".fanfold/inbox/cam1/x.jpg")))

    assert page_model.gallery.latest() == []


def test_a_failed_image_is_shown_even_without_its_picture() -> None:
    page_model = PageModel(VIEW)
    lost = record(file=".fanfold/inbox/x", status="failed", reason="truncated")
    page_model.observe(ordered(lost))

    assert [e["reason"] for e in page_model.gallery.latest()] == ["truncated"]


def test_an_image_in_json_is_kept_decoded() -> None:
    inline = InlineImages()
    payload = json.dumps({"v": 1, "id": "x-1", "image_b64": base64.b64encode(b"abc").decode()})
    inline.offer("cam1", message_id(payload.encode()), payload.encode(), T)

    assert inline.get("x-1") == b"abc"


def test_of_pictures_in_quick_succession_some_are_left_out_and_events_never() -> None:
    inline, event = InlineImages(), b'{"v":1,"id":"e-1","file":"x.jpg"}'
    times = [T + n * ID_EVERY_S / 3.9 for n in range(8)]

    assert [inline.id_of("cam1", b"\xff\xd8", t) is None for t in times] == [False, *[True] * 3] * 2
    assert inline.id_of("cam2", b"\xff\xd8", T) is not None
    assert {inline.id_of("cam1", event, t) for t in times} == {"e-1"}


@pytest.mark.parametrize("payload", [b'{"id":"a","file":"x.jpg"}', b'{"image_b64":"!"}', b"{"])
def test_an_event_without_an_image_in_it_is_not_kept(payload: bytes) -> None:
    inline = InlineImages()
    inline.offer("cam1", "a", payload, T)

    assert inline.get("a") is None


def test_inline_images_are_few_however_many_streams_send_them() -> None:
    inline = InlineImages()
    for n in range(MAX_KEPT * 3):
        inline.offer(f"cam{n}", f"i{n}", b"\xff\xd8", T)

    assert sum(inline.get(f"i{n}") is not None for n in range(MAX_KEPT * 3)) == MAX_KEPT


def test_a_gap_is_counted_and_not_shown_as_an_image() -> None:
    page_model = PageModel(VIEW)
    page_model.observe(ordered({"seq": 4, "status": "gap"}))

    assert page_model.gallery.latest() == []
    assert page_model.streams.top()[0]["gaps"] == 1


def test_a_job_that_ended_is_listed_newest_first() -> None:
    page_model = PageModel(VIEW)
    for job in ("j1", "j2"):
        page_model.observe(message("demo/jobs", {"v": 1, "job": job}))

    assert [j["job"] for j in page_model.sections({}, T)["jobs"]] == ["j2", "j1"]


def test_results_go_to_the_metrics_summed_up_by_status_and_stage() -> None:
    got: list[Any] = []
    page_model = PageModel(VIEW, lambda *summed: got.append(summed))
    gap = {"seq": 3, "status": "gap"}
    page_model.observe(ordered(record(1), record(2, ms={"read": 2.5}), gap, t=T + 1))

    assert got == [("cam1", {"ok": 2, "gap": 1}, {"read": [2.5], "total": [1000.0] * 2})]


def test_a_status_of_a_core_that_only_just_began_is_no_error() -> None:
    page_model = PageModel(SiteView())
    page_model.tick({}, T)

    assert page_model.sections({}, T)["workers"] == []


@given(st.sampled_from(["results/cam1", "heartbeat", "jobs", "work/w0", "images/cam1/accepted"]),
       st.binary() | st.recursive(st.none() | st.integers() | st.text(), lambda inner:
       st.lists(inner) | st.dictionaries(st.sampled_from(["results", "items", "ms", "seq", "stream",
       "status", "id", "worker", "count", "t_in"]), inner)))  # fmt: skip
def test_no_message_however_wrong_stops_the_monitor(leaf: str, body: object) -> None:
    page_model = PageModel(VIEW)
    page_model.observe(message(f"demo/{leaf}", body))
    page_model.tick(status(), T)

    json.dumps(page_model.sections(status(), T), default=str)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["workers", "w0", "reorder_buffer", "model", "state"]), inner
            )
        ),
    )
)
def test_stray_stats_do_not_stop_the_page(stray: object) -> None:
    page_model = PageModel(VIEW)
    strange = {"stats": {"splitter": stray, "aggregator": stray}}
    page_model.tick(strange, T)

    json.dumps(page_model.sections(strange, T), default=str)


def test_a_card_says_what_the_worker_is_and_what_it_holds() -> None:
    board = WorkerBoard()
    items = [{"stream": "cam1", "seq": 41}, {"stream": "cam1", "seq": 42}]
    board.dispatched("w0", json.dumps({"batch": "b-1", "items": items}).encode())
    board.heartbeat({"worker": "w0", "busy_ms": 12})

    [card] = board.cards(status(inflight=2), T)
    assert (card["device"], card["restarts"], card["busy_ms"]) == ("GPU 1", 2, 12)
    assert card["model"] == "lite0 1.0.0"
    assert card["batch"] == {"batch": "b-1", "images": 2, "image": "cam1 #41"}


def test_a_drained_worker_that_is_silent_can_be_given_work_again() -> None:
    [silent] = WorkerBoard().cards(status(state="silent", drained=True), T)
    [ready] = WorkerBoard().cards(status(), T)

    assert (silent["state"], silent["drained"], ready["drained"]) == ("silent", True, False)


def test_a_worker_without_images_is_idle_though_it_had_a_batch() -> None:
    board = WorkerBoard()
    items = [{"stream": "cam1", "seq": 41}]
    board.dispatched("w0", json.dumps({"batch": "b-1", "items": items}).encode())

    assert board.cards(status(inflight=0), T)[0]["batch"] == {}


def test_a_probe_is_not_a_batch() -> None:
    board = WorkerBoard()
    board.dispatched("w0", b'{"v":1,"probe":"p-9"}')

    assert board.cards(status(inflight=1), T)[0]["batch"] == {}


def test_a_function_on_a_gpu_that_others_feed_has_a_card_too() -> None:
    board = WorkerBoard()
    functions = [
        {"id": "splitter", "gpu_id": None, "state": "running"},
        {"id": "w0", "gpu_id": "1", "state": "running"},
    ]
    workers = {"t0": {"state": "ready", "credits": 2}}
    board.finished("w0", T, MODEL)
    cards = board.cards({"functions": functions, "stats": {"splitter": {"workers": workers}}}, T)

    assert [c["id"] for c in cards] == ["t0", "w0"]
    assert (cards[1]["state"], cards[1]["device"], cards[1]["credits"]) == (
        "running",
        "GPU 1",
        None,
    )
    assert cards[1]["model"] == "lite0 1.0.0"
    assert cards[1]["per_s"] > 0


def test_workers_come_in_the_order_of_their_numbers() -> None:
    workers = {name: {"state": "ready"} for name in ("w10", "w2", "w1", "x")}
    cards = WorkerBoard().cards({"stats": {"splitter": {"workers": workers}}}, T)

    assert [c["id"] for c in cards] == ["w1", "w2", "w10", "x"]


def test_a_rate_forgets_what_is_older_than_its_window() -> None:
    board = WorkerBoard()
    for n in range(20):
        board.finished("w0", T + n)

    assert board.cards(status(), T + 19)[0]["per_s"] == 1.1
    assert board.cards(status(), T + 19 + 2 * RATE_WINDOW_S)[0]["per_s"] == 0.0


def test_a_rate_that_nobody_looks_at_is_forgotten_as_well() -> None:
    """It was kept for 20,000 messages of each worker: 2 MB of the core a worker."""
    board = WorkerBoard()
    for n in range(1000):
        board.finished("w0", T + n)

    assert len(board._finished["w0"]) <= RATE_WINDOW_S + 1


def test_a_rate_forgets_what_was_done_before_its_clock_was_set_back() -> None:
    board = WorkerBoard()
    for n in range(20):
        board.finished("w0", T + n)
    board.finished("w0", T - 3600)

    assert board.cards(status(), T - 3600)[0]["per_s"] == 0.1


def test_a_stream_seen_last_is_shown_though_the_clock_was_set_back() -> None:
    table = StreamTable()
    for n in range(100):
        table.results(f"cam{n}", {"ok": 1}, 1, T + n)
    table.results("late", {"ok": 1}, 1, T - 3600)

    assert "late" in [row["name"] for row in table.top()]


def test_a_stream_that_holds_nothing_any_more_says_so() -> None:
    table = StreamTable()
    table.reorder_buffer({"cam1": 9})
    table.reorder_buffer({})

    assert table.top()[0]["held"] == 0


def test_the_view_is_read_from_any_function_of_the_group() -> None:
    view = SiteView.of_environments(
        [
            {"OTHER": "1"},
            {"FANFOLD_SITE": "demo", "FANFOLD_CAMERAS": "a,b", "FANFOLD_IMAGES_DIR": "/srv/x"},
            {"FANFOLD_SITE": "demo", "FANFOLD_CLOUD_TOPIC": "fanfold/demo/results"},
        ]
    )

    assert view.cameras == ("a", "b")
    assert view.images_dir == "/srv/x"
    assert "fanfold/demo/results" in view.filters


def test_a_group_of_somebody_else_is_watched_for_stats_only() -> None:
    assert SiteView.of_environments([{"X": "1"}]).filters == ("+/stats",)


def test_a_batch_for_the_cloud_is_read_for_its_keys_however_it_is_written() -> None:
    for payload in (
        b'{"v":1,"results":[{"stream":"cam1","seq":7,"id":"a"},{"stream":"cam2","seq":9,"x":1}]}',
        b'{"results": [{"id": "a", "seq": 7, "stream": "cam1"}, {"seq": 9, "stream": "cam2"}]}',
    ):
        page_model = PageModel(VIEW)
        for stream, seq in (("cam1", 7), ("cam2", 9)):
            page_model.traces.result(record(seq, stream=stream), T)
        page_model.observe(message(VIEW.cloud_topic, payload, T + 2))

        for key in (("cam1", 7), ("cam2", 9)):
            trace = page_model.traces.get(*key)
            assert trace is not None
            assert trace.t_cloud == T + 2
