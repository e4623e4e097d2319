from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any

import pytest
import simplejpeg
from dashboard_events import events, stream
from dashboard_replay import ReplayCore, jpeg, result
from dashboard_serving import TOKEN, Served, serving
from every import every

from edgecore.web.dashboard.feed import MAX_BROWSERS
from edgecore.web.dashboard.gallery import SHOWN
from edgecore.web.dashboard.ports import SiteView
from edgecore.web.dashboard.streams import MAX_STREAMS, TOP


def test_a_browser_gets_who_the_core_is_and_then_the_whole_state(served: Served) -> None:
    with stream(served) as answer:
        following = events(answer)
        (first, hello), (second, state) = next(following), next(following)

    assert (first, second) == ("hello", "state")
    assert hello["site"] == "demo"
    assert {w["id"] for w in state["workers"]} == {"w0", "w1", "w2", "w3"}
    assert state["verdict"] == {"state": "ok", "ready": True, "reasons": []}


def test_a_result_is_in_one_of_the_next_two_pushes(served: Served) -> None:
    """The page is pushed to twice a second, so two pushes are the promised second."""
    with stream(served) as answer:
        following = events(answer)
        next(following), next(following)
        served.do(lambda: served.core.image("cam1", "w0"))
        pushes = [next(following)[1] for _ in range(3)]  # one may have been under way already

    seen = [state["images"][0]["stream"] for state in pushes if "images" in state]
    assert seen[:1] == ["cam1"]


def test_sections_that_did_not_change_are_not_sent_again(served: Served) -> None:
    with stream(served) as answer:
        following = events(answer)
        for _ in range(3):
            next(following)
        later = [next(following)[1] for _ in range(6)]

    constant = {"clients", "findings", "functions_total", "verdict"}
    assert every(constant.isdisjoint(state) for state in later)
    assert every("t" in state for state in later)


def test_the_browser_after_the_last_allowed_one_is_told_so(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_BROWSERS):
            next(events(stack.enter_context(stream(served))))
        status, _, body = served.ask("/api/stream")

    assert status == 503
    assert b"close one" in body


def test_a_browser_that_leaves_makes_room(served: Served) -> None:
    with stream(served) as answer:
        next(events(answer))
        assert served.dashboard.feed.watched

    served.eventually(lambda: not served.dashboard.feed.watched, "the browser is forgotten")


def test_history_holds_what_passed(served: Served) -> None:
    served.do(lambda: [served.core.image("cam1", "w0") for _ in range(5)])

    def counted() -> bool:
        history = served.json("/api/history")
        ok = history["columns"].index("ok")
        return any(point[ok] for point in history["points"])

    served.eventually(counted, "a point with images")
    assert served.json("/api/history?span=6h")["points"] == []


def test_an_image_is_served_small_and_large(served: Served) -> None:
    served.do(lambda: served.core.image("cam1", "w0"))
    served.eventually(served.dashboard.page_model.gallery.latest, "the image")

    widths = []
    for path in ("/api/image/cam1/1", "/api/image/cam1/1?large"):
        status, headers, content = served.ask(path)
        assert (status, headers["content-type"]) == (200, "image/jpeg")
        widths.append(simplejpeg.decode_jpeg_header(content)[1])
    assert widths == [480, 1280]


def test_an_image_nobody_knows_is_not_found_and_says_why(served: Served) -> None:
    status, _, body = served.ask("/api/image/cam1/99")

    assert status == 404
    assert "no longer among the latest" in json.loads(body)["message"]


def test_a_file_named_outside_the_volume_is_not_shown(served: Served) -> None:
    served.do(lambda: served.core.image("cam1", "w0", file="../../etc/hostname"))
    served.eventually(served.dashboard.page_model.gallery.latest, "the image")

    status, _, body = served.ask("/api/image/cam1/1")
    assert status == 404
    assert "outside" in json.loads(body)["message"]


def test_a_trace_is_found_by_stream_and_by_id_and_sums_up(served: Served) -> None:
    served.do(lambda: served.core.image("cam1", "w0"))
    served.eventually(lambda: served.trace("cam1", 1), "the trace")

    trace = served.json("/api/trace/cam1/1")
    assert served.json("/api/traces?id=cam1-000001")["traces"] == [trace]
    assert trace["reached_cloud"]
    assert sum(s["ms"] for s in trace["stages"]) == pytest.approx(trace["total_ms"], abs=1.0)
    assert next(s["stage"] for s in trace["stages"]) == "ingest"


def test_messages_that_break_their_contract_cost_nothing_but_a_count(served: Served) -> None:
    broken = [
        ("demo/results/cam1", b"\xff\xfe"),
        ("demo/results/cam1", {"results": [{"seq": "x", "status": "ok"}]}),
        ("demo/results/cam1", {"results": [{"ms": [], "seq": 1}]}),
        ("demo/results/cam1", []),
        ("demo/heartbeat", 7),
        ("demo/images/cam1/accepted", {"id": 1}),
        ("demo/jobs", "x"),
        ("fanfold/demo/results", {"results": [7]}),
    ]
    served.do(lambda: [served.core.publish_now(t, b) for t, b in broken])
    served.do(lambda: served.core.image("cam2", "w0"))

    served.eventually(served.dashboard.page_model.gallery.latest, "the good one after them")
    assert served.dashboard.page_model.unreadable >= 6
    with stream(served) as answer:
        assert next(events(answer))[0] == "hello"


def test_three_thousand_streams_leave_bounded_tables(tmp_path: Path) -> None:
    cameras = [f"cam{n}" for n in range(3000)]
    core = ReplayCore(tmp_path, cameras=cameras)
    with serving(core) as served:
        for start in range(0, 3000, 100):
            batch = cameras[start : start + 100]
            served.do(lambda batch=batch: [core.image(c, "w0") for c in batch])
            served.eventually(lambda last=batch[-1]: served.trace(last, 1), "the batch")
        with stream(served) as answer:
            following = events(answer)
            next(following)
            _, state = next(following)

    assert len(state["streams"]) == TOP
    assert state["streams_total"] == MAX_STREAMS
    assert len(state["images"]) == SHOWN
    assert len(json.dumps(state)) < 64_000


def test_a_stream_with_a_reorder_buffer_comes_first_among_many(tmp_path: Path) -> None:
    core = ReplayCore(tmp_path, cameras=[f"cam{n}" for n in range(200)])
    core.held = {"cam7": 40}
    with serving(core) as served:
        served.do(lambda: [core.image(c, "w0") for c in core.cameras])
        served.eventually(lambda: len(served.dashboard.page_model.streams) == 200, "all streams")
        served.do(served.dashboard.feed.step)
        rows = {s["name"]: s for s in served.dashboard.page_model.streams.top()}

    assert rows["cam7"]["held"] == 40


def test_another_group_is_listened_to_and_told_to_open_pages(served: Served) -> None:
    other = SiteView(site="hall", images_dir=served.core.view.images_dir, cameras=("left",))
    with stream(served) as answer:
        hellos = (data for name, data in events(answer) if name == "hello")
        assert next(hellos)["site"] == "demo"
        served.do(lambda: served.dashboard.show(other))
        assert next(hellos)["cameras"] == ["left"]

    record = result({"stream": "left", "seq": 1, "id": "x", "file": "0.jpg", "t_in": 1.0}, "w0", 1)

    def published_and_shown() -> Any:
        served.core.publish_now("hall/results/left", {"v": 1, "results": [record]})
        return served.dashboard.page_model.gallery.get("left", 1)

    served.eventually(lambda: served.do(published_and_shown), "the result")
    assert served.act("test-image?camera=left", jpeg(8, 8))[0] == 409  # nobody hears it in a replay
    assert served.act("test-image?camera=cam1", jpeg(8, 8))[0] == 400


def test_a_followed_topic_comes_line_by_line(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    with contextlib.closing(connection):
        body = json.dumps({"filter": "demo/+/cam1"})
        connection.request("POST", "/api/actions/follow", body, {"x-fanfold-token": TOKEN})
        answer = connection.getresponse()
        answer.readline()  # the empty line that says: listening
        served.eventually(lambda: len(served.core.observers._observers) == 2, "the listener")
        served.do(lambda: served.core.publish_now("demo/results/cam1", {"results": []}))
        served.do(lambda: served.core.publish_now("demo/images/cam1", jpeg(8, 8)))
        text, binary = json.loads(answer.readline()), json.loads(answer.readline())

    assert (text["topic"], text["payload"]) == ("demo/results/cam1", '{"results": []}')
    assert binary["payload"] is None
    assert binary["bytes"] > 100


def test_a_filter_that_is_none_is_refused_before_it_is_followed(served: Served) -> None:
    status, message = served.act("follow", {"filter": "demo/#/x"})

    assert status == 400
    assert "'#'" in message
