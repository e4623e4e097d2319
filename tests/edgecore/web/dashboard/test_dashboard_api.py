from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import simplejpeg
from dashboard_replay import ReplayCore, jpeg, result
from dashboard_serving import TOKEN, Served, serving
from every import every

from edgecore.web.dashboard.feed import MAX_BROWSERS
from edgecore.web.dashboard.gallery import SHOWN
from edgecore.web.dashboard.ports import SiteView
from edgecore.web.dashboard.streams import MAX_STREAMS, TOP


@contextlib.contextmanager
def stream(served: Served) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/api/stream")
        yield connection.getresponse()


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    while line := answer.readline().decode():
        if line.startswith("event: "):
            name = line[7:].strip()
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


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
    served.eventually(lambda: served.dashboard.page_model.traces.get("cam1", 1), "the trace")

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
            served.eventually(
                lambda last=batch[-1]: served.dashboard.page_model.traces.get(last, 1), "the batch"
            )
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


def test_a_worker_is_restarted_with_the_token(served: Served) -> None:
    assert served.act("restart", {"function": "w1"}) == (200, "Restarting w1.")
    assert served.core.calls == [("restart", "w1")]


def test_what_the_core_refuses_comes_back_in_its_words(served: Served) -> None:
    assert served.act("restart", {"function": "w9"}) == (
        409,
        "function 'w9' is not in the group",
    )


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1]])
def test_without_the_token_nothing_happens(served: Served, token: str) -> None:
    for name in ("restart", "drain", "publish", "test-image", "follow"):
        assert served.act(name, {"function": "w1", "on": True}, token)[0] == 401
    assert served.core.calls == []


def test_a_token_in_the_address_or_in_a_cookie_does_not_count(served: Served) -> None:
    path = f"/api/actions/restart?x-fanfold-token={TOKEN}"
    status, _, _ = served.ask(path, "POST", {"function": "w1"}, cookie=f"x-fanfold-token={TOKEN}")

    assert status == 401


def test_read_only_refuses_even_with_the_token(served_read_only: Served) -> None:
    status, message = served_read_only.act("restart", {"function": "w1"})

    assert status == 403
    assert "read-only" in message
    with stream(served_read_only) as answer:
        assert next(events(answer))[1]["actions"] == []


def test_actions_are_never_taken_by_reading(served: Served) -> None:
    assert served.ask("/api/actions/restart", **{"x-fanfold-token": TOKEN})[0] == 405


def test_a_message_is_published_and_its_targets_counted(served: Served) -> None:
    status, message = served.act("publish", {"topic": "demo/x", "payload": "{}"})

    assert (status, message) == (200, "Published 2 bytes on demo/x to 1 target(s).")


def test_a_topic_nobody_subscribes_to_is_said_to_be_one(served: Served) -> None:
    status, message = served.act("publish", {"topic": "elsewhere", "payload": "{}"})

    assert status == 409
    assert "No subscription takes" in message


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"topic": "demo/#", "payload": "x"}, "wildcard"),
        ({"topic": "d" * 300, "payload": "x"}, "256"),
        ({"topic": "demo/x", "payload": "x" * 131_073}, "131072"),
        ({"topic": "demo/x"}, "payload"),
        ({"topic": 7, "payload": "x"}, "topic"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"x" * 300_000, "131072"),
    ],
)
def test_a_publish_that_cannot_be_says_what_is_wrong(served: Served, body: Any, word: str) -> None:
    status, message = served.act("publish", body)

    assert status == 400
    assert word in message


def test_a_test_image_goes_to_the_camera_s_topic(served: Served) -> None:
    content = jpeg(64, 48)
    status, _ = served.act("test-image?camera=cam2", content)

    assert status == 200
    assert served.core.calls == [("publish", "demo/images/cam2", content)]


@pytest.mark.parametrize(("camera", "content"), [("cam9", jpeg(8, 8)), ("cam1", b"GIF89a")])
def test_a_test_image_to_nowhere_or_of_nothing_is_refused(
    served: Served, camera: str, content: bytes
) -> None:
    assert served.act(f"test-image?camera={camera}", content)[0] == 400
    assert served.core.calls == []


def test_drain_needs_a_truth_value(served: Served) -> None:
    assert served.act("drain", {"on": "yes"})[0] == 400
    assert served.act("drain", {"on": True, "workers": "w0"})[0] == 400
    assert served.act("drain", {"on": True, "workers": ["w0"]})[0] == 200
    assert served.act("drain", {"on": False})[0] == 200
    assert served.core.calls == [("drain", True, ["w0"]), ("drain", False, None)]


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
