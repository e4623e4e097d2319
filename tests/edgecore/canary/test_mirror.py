"""Between the group that serves and the lane, with real files: what is copied, and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.messages.build import done_messages, hello_message, result_ok, work_message
from contract.volumes import CANARY, INBOX
from edgecore.canary.comparison import Comparison
from edgecore.canary.copies import Copies
from edgecore.canary.lane import Lane, Topics
from edgecore.canary.mirror import Mirror
from edgecore.canary.rule import CanaryRule
from edgecore.core.observers import Message

KEPT = f"{INBOX}/cam1/000000000001"
WORK, DONE, HEARTBEAT = "s/work/w0", "s/done", "s/heartbeat"


def item(seq: int, **more: Any) -> Any:
    return {"stream": "cam1", "seq": seq, "file": f"a/{seq}.jpg", "kept": KEPT, **more}


class Hall:
    """A mirror whose lane is a list of what it was sent."""

    def __init__(self, images: Path) -> None:
        (images / INBOX / "cam1").mkdir(parents=True)
        (images / KEPT).write_bytes(b"pixels")
        self.images, self.sent = images, []
        self.comparison = Comparison(CanaryRule())
        lane = Lane(
            group=None, workers={"canary0": "s/work/canary0"}, done=DONE, heartbeat=HEARTBEAT,
            images_dir=str(images),
        )  # type: ignore[arg-type]  # fmt: skip
        topics = Topics(work="s/work/", done=DONE, images_dir=str(images))
        self.mirror = Mirror(lane, topics, self.comparison, Copies(str(images)), lambda: 0.0)
        self.mirror.publish = lambda topic, payload: self.sent.append((topic, json.loads(payload)))
        self.mirror.prepare()

    def hello(self, incarnation: str = "i1") -> None:
        self.mirror.take(HEARTBEAT, hello_message("canary0", incarnation, {"name": "new"}))

    async def work(self, *items: Any) -> None:
        payload = work_message("b-1", 1, list(items), to="9f2c")
        self.mirror.offer(Message(t=0.0, topic=WORK, payload=payload))
        while self.mirror._copying:
            await asyncio.sleep(0)

    def old(self, each: Any, output: Any = "part") -> None:
        [payload] = done_messages("b-1", "w0", "9f2c", {"name": "old"}, [result(each, output)])
        self.mirror.offer(Message(t=0.0, topic=DONE, payload=payload))

    def new(self, each: Any, output: Any = "part") -> None:
        batch = self.sent[-1][1]["batch"]
        [payload] = done_messages(batch, "canary0", "i1", {"name": "new"}, [result(each, output)])
        self.mirror.take(DONE, payload)


def result(each: Any, output: Any) -> Any:
    return result_ok(each, "classification", {"own": output}, {"inference": 2.0})


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Any], Hall]:
    def run(story: Any) -> Hall:
        async def told() -> Hall:
            hall = Hall(tmp_path)
            await story(hall)
            return hall

        return asyncio.run(told())

    return run


def test_before_a_canary_worker_is_ready_nothing_is_copied(play):
    async def story(hall: Hall) -> None:
        await hall.work(item(1))

    assert play(story).sent == []


def test_a_copy_has_a_name_of_its_own_that_outlives_the_splitters(play):
    async def story(hall: Hall) -> None:
        hall.hello()
        await hall.work(item(1))
        [(topic, message)] = hall.sent
        own = hall.images / message["items"][0]["kept"]
        (hall.images / KEPT).unlink()

        assert topic == "s/work/canary0"
        assert "to" not in message
        assert own.read_bytes() == b"pixels"
        hall.new(item(1))
        await hall.mirror.tick()
        assert not own.exists()

    play(story)


@pytest.mark.parametrize("kept", ["../outside", f"{INBOX}/../../outside", "/etc/hostname"])
def test_no_name_outside_the_splitters_folder_is_linked(play, kept):
    async def story(hall: Hall) -> None:
        (hall.images.parent / "outside").write_text("secret")
        hall.hello()
        await hall.work(item(1, kept=kept))

        assert hall.sent[0][1]["items"][0]["kept"] == kept
        assert list((hall.images / CANARY).iterdir()) == []

    play(story)


def test_while_a_copy_is_under_way_no_other_is_made(play):
    async def story(hall: Hall) -> None:
        hall.hello()
        await hall.work(item(1))
        await hall.work(item(2))

    assert len(play(story).sent) == 1


@pytest.mark.parametrize("first", ["old", "new"])
def test_both_answers_make_one_comparison_whichever_comes_first(play, first):
    async def story(hall: Hall) -> None:
        hall.hello()
        await hall.work(item(1))
        for who in (first, {"old": "new", "new": "old"}[first], "old"):
            getattr(hall, who)(item(1), who)
        await hall.mirror.tick()

        assert (hall.comparison.compared, hall.comparison.disagreed) == (1, 1)
        assert (hall.mirror.model, hall.mirror.against) == ({"name": "new"}, {"name": "old"})

    play(story)


@pytest.mark.parametrize(
    ("said", "told"), [("part", []), ("crack", [(b"pixels", "part", "crack")])]
)
def test_an_image_about_which_the_models_differ_is_told_while_its_copy_is_there(play, said, told):
    async def story(hall: Hall) -> None:
        heard: list[Any] = []

        def differ(old: Any, new: Any, name: str) -> None:
            content = (hall.images / name).read_bytes()
            heard.append((content, old["output"]["own"], new["output"]["own"]))

        hall.mirror.differ = differ
        hall.hello()
        await hall.work(item(1))
        (hall.images / KEPT).unlink()
        hall.old(item(1))
        hall.new(item(1), said)
        await hall.mirror.tick()

        assert heard == told

    play(story)


def test_a_worker_that_comes_back_as_another_died_with_what_it_had(play):
    async def story(hall: Hall) -> None:
        hall.hello("i1")
        await hall.work(item(1), item(2))
        hall.hello("i2")

        assert (hall.comparison.deaths, hall.comparison.disagreed) == (1, 2)
        await hall.work(item(3))
        assert len(hall.sent) == 2

    play(story)


@pytest.mark.parametrize("payload", [b"", b"[1]", b"null", b'{"v":1}', b"[" * 5_000, b"\xff"])
def test_nothing_that_others_send_ends_the_core(play, payload):
    async def story(hall: Hall) -> None:
        hall.hello()
        hall.mirror.offer(Message(t=0.0, topic=WORK, payload=payload))
        await hall.work(item(1))
        hall.mirror.offer(Message(t=0.0, topic=DONE, payload=payload))
        for topic in (DONE, HEARTBEAT, "s/other"):
            hall.mirror.take(topic, payload)
        await hall.mirror.tick()

    play(story)
