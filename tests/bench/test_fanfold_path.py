"""The benchmark's own camera: what it has waiting, and what it says of a refusal."""

from __future__ import annotations

import json

import pytest

from bench.group import CAMERA, SITE
from bench.methods.fanfold_path import MOST_WAITING, _Client
from contract.topics import Topics
from fanfold.common.errors import UserError
from fanfold.sending.mqtt import Message

TOPICS = Topics(SITE)


class Site:
    """Answers for 32 images a message, and refuses whatever is more than it may have waiting."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.answered = 0
        self.refusing = False

    def publish(self, _topic: str, payload: bytes) -> None:
        self.events.append(len(json.loads(payload)["files"]))
        self.refusing |= sum(self.events) - self.answered > MOST_WAITING

    def receive(self, _timeout_s: float) -> Message:
        if self.refusing:
            said = {"id": "bench-1", "reason": "busy", "detail": "the backlog is full"}
            return Message(TOPICS.rejected(CAMERA), json.dumps(said).encode())
        first = self.answered + 1
        self.answered = min(self.answered + 32, sum(self.events))
        records = [{"seq": n, "status": "ok"} for n in range(first, self.answered + 1)]
        return Message(TOPICS.results(CAMERA), json.dumps({"results": records}).encode())


def client(site: Site) -> _Client:
    return _Client(site, ["cam1/1.jpg"], files_per_event=100)  # type: ignore[arg-type]


def test_more_images_than_may_wait_are_sent_as_others_are_done_in_whole_events() -> None:
    site = Site()
    records, _ = client(site).run(MOST_WAITING + 1_050, None)

    assert len(records) == MOST_WAITING + 1_050
    assert set(site.events[:-1]) == {100}


def test_a_refused_event_is_named_with_its_reason() -> None:
    site = Site()
    site.refusing = True

    with pytest.raises(UserError, match="bench-1: busy, the backlog is full"):
        client(site).run(100, None)
