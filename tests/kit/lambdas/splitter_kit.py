"""A real splitter on a folder, stepped by hand; what it publishes is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from site_environment import environment

from contract import messages as m
from lambdas.common.bus import RecordingBus
from lambdas.common.loop import Message
from lambdas.common.settings import splitter_settings
from lambdas.splitter.engine import Splitter

JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02 a picture \xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n another picture"


class Bench:
    """One camera's side, one worker's side and the aggregator's side of a splitter."""

    def __init__(self, root: Path, **env: str) -> None:
        self.env = environment(root, FANFOLD_STATS_TOPIC="", **env)
        self.images = Path(self.env["FANFOLD_IMAGES_DIR"])
        self.bus = RecordingBus()
        self.now = 100.0
        self.splitter = Splitter(splitter_settings(self.env), self.bus, self.now)
        self.ack(top={})

    def step(self, *messages: tuple[str, Any], after_s: float = 0.05) -> None:
        self.now += after_s
        inbox = [Message(topic, payload) for topic, payload in messages]
        self.splitter.step(inbox, self.now, 1_790_000_000.0)

    def ack(self, top=None, **low_watermarks: int) -> None:
        epoch = self.splitter.journal.epoch
        self.step(("demo/ack", m.ack_message(epoch, {}, low_watermarks, top)))

    def heartbeat(self, worker: str = "w0", incarnation: str = "i0") -> None:
        heartbeat = m.Heartbeat(worker, incarnation, "heartbeat", None, 0.0, None)
        self.step(("demo/heartbeat", m.heartbeat_message(heartbeat)))

    def image(self, payload: Any, camera: str = "cam1") -> dict:
        """Send one payload; its answer."""
        return self.images_at_once([payload], camera)[0]

    def images_at_once(self, payloads: list, camera: str = "cam1") -> list[dict]:
        before = len(self.bus.sent)
        self.step(*[(f"demo/images/{camera}", payload) for payload in payloads])
        return self.answers(before)

    def answers(self, since: int = 0) -> list[dict]:
        return [
            dict(json.loads(payload), answer=topic.rsplit("/", 1)[1])
            for topic, payload in self.bus.sent[since:]
            if topic.endswith(("/accepted", "/rejected"))
        ]

    def work(self) -> list[dict]:
        """Items dispatched so far, in order."""
        sent = [m.parse_work(p) for topic, p in self.bus.sent if topic.startswith("demo/work/")]
        return [item for work in sent for item in work.items]

    def records(self) -> list[dict]:
        """Terminal records that the splitter wrote itself."""
        sent = [m.parse_done(p) for topic, p in self.bus.sent if topic == "demo/done"]
        return [record for done in sent for record in done.results]

    def restart(self, top: dict[str, int] | None = None) -> None:
        self.splitter.journal._db.close()
        self.splitter = Splitter(splitter_settings(self.env), self.bus, self.now)
        self.ack(top=top or {})

    def inbox_files(self) -> list[Path]:
        return sorted(p for p in (self.images / ".fanfold" / "inbox").rglob("*") if p.is_file())


def event(**fields: Any) -> bytes:
    return json.dumps(dict(fields, v=1)).encode()
