"""What the page may have done, and who may ask for it."""

from __future__ import annotations

from typing import Any

import pytest
from dashboard_events import events, stream
from dashboard_replay import jpeg
from dashboard_serving import TOKEN, Served


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
