"""A history that is written and read without a core: messages in, records out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgecore.core.observers import Message
from edgecore.history.recorder import Recorder
from edgecore.history.schema import file_of
from edgecore.history.settings import Settings

SITE = "hall"
T0 = 1_790_000_000.0


def record(seq: int, label: str = "good", score: float = 0.9, **more: Any) -> dict[str, Any]:
    return {
        "seq": seq, "id": f"m-{seq}", "status": "ok", "file": f"drop/cam1/part-{seq:06}.jpg",
        "job": "", "worker": "w0", "model": {"name": "lite0", "version": "1.0.0"},
        "output": {"top": [{"label": label, "score": score}]}, **more,
    }  # fmt: skip


def failed(seq: int, reason: str = "truncated", **more: Any) -> dict[str, Any]:
    return record(seq, status="failed", reason=reason, detail="ends early", output={}, **more)


def message(records: list[dict[str, Any]], t: float = T0, camera: str = "cam1") -> Message:
    payload = json.dumps({"v": 1, "site": SITE, "stream": camera, "results": records})
    return Message(t=t, topic=f"{SITE}/results/{camera}", payload=payload.encode())


def recorder(state: Path, settings: Settings | None = None, **more: Any) -> Recorder:
    made = Recorder(file_of(state), **more)
    made.show(SITE, settings or Settings(time_zone="UTC"))
    return made


def write(state: Path, *messages: Message, settings: Settings | None = None) -> Recorder:
    """One life of a recorder: what is given is on the disk afterwards."""
    made = recorder(state, settings)
    made.start()
    for each in messages:
        made.observer.offer(each)
    made.close()
    return made
