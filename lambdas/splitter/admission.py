"""From what arrived to what is accepted: duplicates, quota, numbers, answers.

Answers are collected and handed out only after the commit that makes them true.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from contract import messages as m
from contract import topics
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.dropfolder import DropFolder, Found
from lambdas.splitter.inbox import Inbox
from lambdas.splitter.intake import Event, claimed_id, file_id, read_event
from lambdas.splitter.journal import Journal
from lambdas.splitter.terminal import TerminalRecords, terminal_status

# Events that wait for the aggregator's first word; beyond it the camera is told to wait.
MAX_PARKED = 1_000
MAX_PARKED_S = 10.0
RETRY_AFTER_S = (0.5, 30.0)
FIRST_RETRY_S = 2.0


class Admission:
    def __init__(
        self,
        settings: SplitterSettings,
        journal: Journal,
        backlog: Backlog,
        inbox: Inbox,
        terminals: TerminalRecords,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._backlog = backlog
        self._inbox = inbox
        self._terminals = terminals
        self._drop = DropFolder(settings, journal.seen_files())
        self._received: list[tuple[str, Any, float]] = []
        self._staged: list[Image] = []
        self._accepted: list[tuple[str, dict[str, Any]]] = []
        self._rejected: list[tuple[str, dict[str, Any]]] = []
        self._rate_per_s: float | None = None
        self.accepted = 0
        self.duplicates = 0
        self.rejected: Counter[str] = Counter()

    @property
    def staged(self) -> bool:
        """Whether answers or images wait for a commit."""
        return bool(self._accepted or self._staged)

    def received(self, camera: str, payload: Any, now: float) -> None:
        if camera not in self._settings.cameras:
            known = ", ".join(self._settings.cameras)
            wrong = m.MessageError("malformed", f"no such camera; there are {known}")
            self._reject(camera, claimed_id(payload), wrong)
        elif len(self._received) >= MAX_PARKED and not self._journal.synced:
            busy = self._busy("the aggregator has not answered yet")
            self._reject(camera, claimed_id(payload), busy)
        else:
            self._received.append((camera, payload, now))

    def admit(self, ready: bool, now: float, wall: float) -> None:
        """Stage everything received; until `ready` it waits, but not for ever."""
        received, self._received = self._received, []
        for camera, payload, since in received:
            if not ready and now - since < MAX_PARKED_S:
                self._received.append((camera, payload, since))
                continue
            event_id = ""
            try:
                if not ready:
                    raise self._busy("the aggregator does not answer")
                event = read_event(payload, self._settings.images_dir)
                event_id = event.id
                self._admit(camera, event, wall)
            except m.MessageError as error:
                self._reject(camera, event_id or claimed_id(payload), error)
            except OSError as error:
                full = m.MessageError("no_space", str(error))
                self._reject(camera, event_id or claimed_id(payload), full)
        if ready:
            self._pick_up(now, wall)

    def committed(self) -> None:
        """What was staged is durable: it may be dispatched and answered."""
        for image in self._staged:
            self._backlog.add(image)
            if image.terminal:
                self._terminals.add(image)
        self.accepted += len(self._staged)
        self._staged = []

    def refused(self) -> list[tuple[str, bytes]]:
        """The commit failed for want of space: nothing that is new was accepted."""
        self._staged = []
        self._drop.reload(self._journal.seen_files())
        full = m.MessageError("no_space", "the journal has no room; free space or raise its quota")
        answers, self._accepted = self._accepted, []
        for camera, answer in answers:
            # A second copy in the same group is a duplicate of what was not taken.
            if answer["duplicate"] and self._journal.holds(camera, answer["seq"]):
                self._accepted.append((camera, answer))
            else:
                self._reject(camera, answer["id"], full)
        return self.replies()

    def replies(self) -> list[tuple[str, bytes]]:
        """Answers that may be sent now."""
        prefix = self._settings.images_topic
        replies = [(topics.accepted(prefix + c), m.encode(body)) for c, body in self._accepted]
        replies += [(topics.rejected(prefix + c), m.encode(body)) for c, body in self._rejected]
        self._accepted, self._rejected = [], []
        return replies

    def finished(self, rate_per_s: float) -> None:
        """Images finished a second, told once a second. One second without any is no measure."""
        if self._rate_per_s is not None:
            self._rate_per_s = max(rate_per_s, self._rate_per_s / 2)
        elif rate_per_s:
            self._rate_per_s = rate_per_s

    def _retry_after_s(self) -> float:
        """Until a quarter of the backlog is done, as far as its speed is known."""
        if self._rate_per_s is None:
            return FIRST_RETRY_S
        wait_s = self._backlog.outstanding / 4 / max(self._rate_per_s, 1.0)
        return round(min(max(wait_s, RETRY_AFTER_S[0]), RETRY_AFTER_S[1]), 1)

    def counters(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "rejected": dict(self.rejected),
            "duplicates": self.duplicates,
        }

    def _admit(self, camera: str, event: Event, wall: float) -> None:
        mark = None
        known = self._journal.find(camera, event.id)
        if known is None and len(event.files) == 1:
            mark = self._drop.mark(event.files[0])
            seq = self._journal.find_file(event.files[0], mark) if mark else None
            known = (seq, 1) if seq else None  # type: ignore[assignment]
        if known:
            self.duplicates += 1
            self._answer(camera, event.id, known[0], known[1], duplicate=True)
            return
        terminal = self._room_for(event.images)
        files = event.files
        if event.content is not None:
            files = [self._inbox.write(camera, event.id, event.suffix, event.content)]
        first = self._stage(camera, event, files, wall, terminal)
        self._answer(camera, event.id, first, len(files), duplicate=False)

    def _stage(
        self, camera: str, event: Event, files: list[str], wall: float, terminal: str | None
    ) -> int:
        items = []
        for index, name in enumerate(files):
            item: dict[str, Any] = {"stream": camera, "seq": 0}
            item["id"] = f"{event.id}/{index}" if event.manifest else event.id
            item["file"] = name
            if event.job is not None:
                item["job"] = event.job
                item["last"] = event.last and index == len(files) - 1
            if event.ts is not None:
                item["ts"] = event.ts
            item["t_in"] = round(wall, 3)
            items.append(item)
        first = self._journal.stage(camera, event.id, items, terminal)
        for item in items:
            self._staged.append(Image(item, terminal))
            mark = self._drop.mark(item["file"])
            if mark:
                self._journal.stage_file(item["file"], mark, item["seq"])
                self._drop.know(item["file"], mark)
        return first

    def _pick_up(self, now: float, wall: float) -> None:
        """Files in the drop folder that no event named."""
        room = self._settings.max_backlog - self._backlog.outstanding - len(self._staged)
        for found in self._drop.scan(now, room):
            self._pick_up_one(found, wall)
        gone = self._drop.gone()
        if gone:
            self._journal.forget_files(gone)

    def _pick_up_one(self, found: Found, wall: float) -> None:
        if self._journal.find_file(found.path, found.mark):
            return
        event_id = file_id(self._settings.images_dir, [found.path])
        if self._journal.find(found.camera, event_id) is None:
            self._stage(found.camera, Event(event_id, [found.path]), [found.path], wall, None)

    def _room_for(self, count: int) -> str | None:
        """The terminal status of new images, or None: they are processed. May drop old ones."""
        limit = self._settings.max_backlog
        backlog = self._backlog.outstanding + len(self._staged)
        over = backlog - len(self._terminals) + count - limit
        if over <= 0 or backlog == 0:
            return None
        detail = f"backlog {backlog} of {limit} images"
        # Records of dropped images wait for the aggregator as well: they are bounded too.
        if self._settings.backlog_policy == "reject" or len(self._terminals) + count > limit:
            raise self._busy(detail)
        if self._settings.backlog_policy == "drop_newest":
            return terminal_status("dropped", "quota_newest", detail)
        oldest = [image for image, _ in zip(self._backlog.oldest_waiting(), range(over))]
        if len(oldest) < over:
            raise self._busy(detail)
        for image in oldest:
            self._backlog.terminate(image, terminal_status("dropped", "quota_oldest", detail))
            self._terminals.terminated(image)
        return None

    def _busy(self, detail: str) -> m.MessageError:
        return m.MessageError("busy", detail)

    def _answer(self, camera: str, event_id: str, seq: int, count: int, duplicate: bool) -> None:
        body = {"v": m.VERSION, "id": event_id, "stream": camera, "seq": seq, "count": count}
        self._accepted.append((camera, dict(body, duplicate=duplicate)))

    def _reject(self, camera: str, event_id: str, error: m.MessageError) -> None:
        self.rejected[error.reason] += 1
        body: dict[str, Any] = {"v": m.VERSION, "id": event_id, "stream": camera}
        body.update(reason=error.reason, detail=error.detail[: m.MAX_DETAIL_CHARS])
        if error.reason in ("busy", "no_space"):
            body["retry_after_s"] = self._retry_after_s()
        self._rejected.append((camera, body))
