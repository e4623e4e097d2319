"""Cameras that are fetched: frames into the images volume, events to the splitter, as any camera.

One process for each camera reads and encodes; this part alone decides when a frame is wanted,
writes it, announces it, and removes its file when the splitter has answered.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from typing import Any, Callable

from contract import messages as m
from contract import topics
from contract.camera_sources import shown
from contract.image_kinds import kind_of
from lambdas.common.bus import Bus
from lambdas.common.log import Throttle, get_logger
from lambdas.common.loop import Message, Part
from lambdas.grabber import files
from lambdas.grabber.flow import Flow, Sent
from lambdas.grabber.process import CameraProcess, Post
from lambdas.grabber.settings import GrabberSettings, Source
from lambdas.grabber.watch import Watch

STATS_EVERY_S = 1.0
FRAME = "frame"
"""Subject of what a camera's process said; no topic of the core is one level."""

_log = get_logger("grabber")
Start = Callable[[Source, GrabberSettings, Post], CameraProcess]


class Camera:
    """One camera: its process, what is known of it, and its frames under way."""

    def __init__(self, source: Source, process: CameraProcess, now: float) -> None:
        self.source, self.process = source, process
        self.shown = shown(source.source)
        self.flow = Flow(source.fps, now)
        self.watch = Watch(source.frozen_s, source.stall_s, now)
        self._kept: deque[str] = deque()
        self._keeps = max(files.FEWEST_KEPT, math.ceil(files.KEPT_S * source.fps))

    def keep(self, path: str) -> list[str]:
        """An accepted frame stays for whoever looks; the files that may go for it."""
        self._kept.append(path)
        return [self._kept.popleft() for _ in range(len(self._kept) - self._keeps)]

    def describe(self, now: float) -> dict[str, Any]:
        flow = self.flow
        return {
            "source": self.shown,
            "fps": self.source.fps,
            **self.watch.describe(now),
            "accepted": flow.accepted,
            "dropped": flow.dropped,
            "rejected": dict(flow.rejected),
            "unanswered": flow.unanswered,
            "waiting": len(flow.sent),
            "reconnects": self.process.reconnects,
        }


class Grabber(Part):
    def __init__(
        self,
        settings: GrabberSettings,
        bus: Bus,
        now: float,
        start: Start = CameraProcess,
    ) -> None:
        self._settings, self._bus = settings, bus
        self._stats_at = now
        self._life = secrets.token_hex(4)
        self._number = 0
        self._throttle = Throttle(30.0)
        self._post: Callable[[str, Any], None] = lambda _subject, _payload: None
        self.cameras = {
            each.name: Camera(each, start(each, settings, self._heard), now)
            for each in settings.sources
        }
        for name in self.cameras:
            files.clear(settings.images_dir, name)

    def run(self, post: Callable[[str, Any], None]) -> None:
        """Start the cameras; `post` hands what they say to `step`."""
        self._post = post
        for camera in self.cameras.values():
            camera.process.start()

    def _heard(self, name: str, head: dict[str, Any], content: bytes) -> None:
        self._post(FRAME, (name, head, content))

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        for message in messages:
            if message.subject == FRAME:
                name, head, content = message.payload
                self._on_camera(name, head, content, now)
            else:
                self._on_message(message, now)
        for camera in self.cameras.values():
            self._drive(camera, now)
        if now - self._stats_at >= STATS_EVERY_S:
            self._stats_at = now
            self._publish_stats(now, wall)

    def close(self) -> None:
        for camera in self.cameras.values():
            camera.process.stop()

    def _drive(self, camera: Camera, now: float) -> None:
        flow, watch = camera.flow, camera.watch
        for sent in flow.given_up(now):
            files.remove(self._settings.images_dir, sent.path)
        for sent in flow.to_repeat(now):
            self._announce(camera, sent)
        if watch.hangs(now):
            watch.killed()
            _log.error("%s: %s: %s", camera.source.name, camera.shown, watch.error)
            camera.process.kill()
        elif not watch.waits and watch.state != "away" and flow.due(now) and camera.process.ask():
            watch.asked(now)

    def _on_camera(self, name: str, head: dict[str, Any], content: bytes, now: float) -> None:
        camera = self.cameras[name]
        if "started" in head:
            camera.watch.started()
            # The first frame is asked for at once: connecting shows in the answer.
            if camera.process.ask():
                camera.watch.asked(now)
        elif "code" in head:
            if camera.watch.ended(head["code"], head["detail"]):
                _log.error("%s: %s: %s", name, camera.shown, head["detail"])
        else:
            if not camera.watch.live:
                camera.flow.begin(now)
            for said in camera.watch.frame(head, content, now):
                _log.warning("%s: %s: %s", name, camera.shown, said)
            self._take(camera, float(head["t"]), content, now)

    def _take(self, camera: Camera, t: float, content: bytes, now: float) -> None:
        """A frame becomes a file and an event."""
        if not camera.flow.has_room(now):
            camera.flow.dropped += 1
            return
        self._number += 1
        kind = kind_of(content)
        name = camera.source.name
        path = files.name_of(name, t, self._number, kind.suffix if kind else ".jpg")
        try:
            files.write(self._settings.images_dir, path, content)
        except OSError as error:
            camera.flow.dropped += 1
            if self._throttle.due("write") is not None:
                _log.error("frames are dropped, the images volume takes none: %s", error)
            return
        key = f"live-{self._life}-{self._number}"
        event = {"v": m.VERSION, "id": key, "file": path, "ts": round(t, 3)}
        sent = Sent(key, path, m.encode(event), now)
        camera.flow.sending(sent)
        self._announce(camera, sent)

    def _announce(self, camera: Camera, sent: Sent) -> None:
        """What the core does not take is announced again, as what nobody answers."""
        self._bus.publish(self._settings.images_topic + camera.source.name, sent.payload)

    def _on_message(self, message: Message, now: float) -> None:
        prefix = self._settings.images_topic
        try:
            body = m.decode(message.payload)
        except m.MessageError as error:
            if self._throttle.due(message.subject) is not None:
                _log.warning("ignored a message on %s: %s", message.subject, error)
            return
        if message.subject == self._settings.stats_topic:
            self._on_stats(body)
        elif message.subject.startswith(prefix):
            name, _, answer = message.subject[len(prefix) :].partition("/")
            camera = self.cameras.get(name)
            if camera is not None and answer in (topics.ACCEPTED, topics.REJECTED):
                self._on_answer(camera, body, now)

    def _on_answer(self, camera: Camera, body: dict[str, Any], now: float) -> None:
        done = camera.flow.answered(body, now)
        reason, name = body.get("reason"), camera.source.name
        kept = done.pop() if done and reason is None else None
        for sent in done:
            files.remove(self._settings.images_dir, sent.path)
        if kept is not None:
            for path in camera.keep(kept.path):
                files.remove(self._settings.images_dir, path)
        if done and reason is not None and self._throttle.due(f"{name} {reason}") is not None:
            detail = body.get("detail", "")
            _log.warning("%s: a frame was refused: %s: %s", name, reason, detail)

    def _on_stats(self, body: dict[str, Any]) -> None:
        streams = body.get("streams")
        if body.get("part") != "splitter" or not isinstance(streams, dict):
            return
        for name, camera in self.cameras.items():
            waiting = streams.get(name, 0)
            if isinstance(waiting, int):
                camera.flow.backlog(waiting)

    def _publish_stats(self, now: float, wall: float) -> None:
        if not self._settings.stats_topic:
            return
        stats = {
            "v": m.VERSION,
            "part": "grabber",
            "t": round(wall, 3),
            "cameras": {name: camera.describe(now) for name, camera in self.cameras.items()},
        }
        self._bus.publish(self._settings.stats_topic, m.encode(stats))
