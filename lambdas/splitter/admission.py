"""From what arrived to what is accepted: duplicates, quota, custody, numbers, answers.

Answers are collected and handed out only after the commit that makes them true.
"""

from __future__ import annotations

import errno
from typing import Any, Mapping

from contract import messages as m
from contract.volumes import kept_name
from lambdas.common.paths import PathError, stat_inside
from lambdas.common.settings import SplitterSettings
from lambdas.splitter.answers import Answers
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.custody import FULL, Custody, Taken
from lambdas.splitter.dropfolder import DropFolder, Found
from lambdas.splitter.entries import event_mark, items_of
from lambdas.splitter.fullness import Fullness
from lambdas.splitter.intake import MAX_IMAGE_BYTES, Event, claimed_id, read_event
from lambdas.splitter.journal import Journal, Known
from lambdas.splitter.marks import mark_of, same_content, same_inline
from lambdas.splitter.terminal import TerminalRecords, terminal_status
from lambdas.splitter.volume import Volume

# Events that wait for the aggregator's first word; beyond it the camera is told to wait.
MAX_PARKED = 1_000
MAX_PARKED_S = 10.0


class Admission:
    def __init__(  # noqa: PLR0913, PLR0917 - the parts that an image passes
        self,
        settings: SplitterSettings,
        journal: Journal,
        backlog: Backlog,
        custody: Custody,
        volume: Volume,
        terminals: TerminalRecords,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._backlog = backlog
        self._custody = custody
        self._volume = volume
        self._terminals = terminals
        self.drop = DropFolder(settings, journal.seen_files())
        self._received: list[tuple[str, Any, float]] = []
        self._staged: list[Image] = []
        self.answers = Answers(settings.images_topic, lambda: backlog.outstanding)
        self.full = Fullness()
        self.accepted = 0
        self.duplicates = 0

    @property
    def staged(self) -> bool:
        """Whether answers or images wait for a commit."""
        return self.answers.wait or bool(self._staged)

    def received(self, camera: str, payload: Any, now: float, ready: bool) -> None:
        if camera not in self._settings.cameras:
            known = ", ".join(self._settings.cameras)
            wrong = m.MessageError("malformed", f"no such camera; there are {known}")
            self.answers.reject(camera, claimed_id(payload), wrong)
        elif len(self._received) >= MAX_PARKED and not ready:
            busy = self._busy("the aggregator has not answered yet")
            self.answers.reject(camera, claimed_id(payload), busy)
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
                self.answers.reject(camera, event_id or claimed_id(payload), self._checked(error))
            except OSError as error:
                self.answers.reject(
                    camera, event_id or claimed_id(payload), self._pushed_back(error)
                )
        if ready and self._volume.ready:
            self._pick_up(now, wall)

    def committed(self) -> None:
        """What was staged is durable: it may be dispatched and answered."""
        for image in self._staged:
            self._backlog.add(image)
            if image.terminal:
                self._terminals.add(image)
        self.accepted += len(self._staged)
        if self._staged:
            self.full.took()
        self._staged = []

    def refused(self, reason: str = "no_space", detail: str = "") -> None:
        """Nothing of this group became durable: nothing that is new was accepted."""
        self._staged = []
        self.drop.reload(self._journal.seen_files())
        why = detail or "the journal has no room; free space or raise its quota"
        self.answers.take_back(m.MessageError(reason, why), self._journal.holds)

    def counters(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "rejected": dict(self.answers.rejected),
            "rejected_by_camera": {c: dict(n) for c, n in self.answers.by_camera.items()},
            "max_backlog": self._settings.max_backlog,
            "streams": self._backlog.by_stream(),
            "duplicates": self.duplicates,
            "drop": self.drop.describe(),
        }

    def _admit(self, camera: str, event: Event, wall: float) -> None:
        known = self._known(camera, event)
        if known:
            self.duplicates += 1
            self.answers.accept(camera, event.id, known.seq, known.images, duplicate=True)
            return
        if self._volume.away:
            raise self._busy(f"images volume: {self._volume.away}")
        terminal = self._room_for(event.images)
        first = self._journal.next_seq(camera)
        since = self._custody.group_size()
        unfit: dict[int, str] = {}
        try:
            taken = self._take(camera, event, first, unfit) if terminal is None else []
        except BaseException:
            self._custody.discard(since)
            raise
        items = self._stage(camera, event, taken, wall, terminal, unfit)
        for item, had, name in zip(items, taken, event.files):
            if had is not None:
                self.drop.picked(camera, name, had.mark, item["seq"], self._journal)
        self.answers.accept(camera, event.id, first, event.images, duplicate=False)

    def _known(self, camera: str, event: Event) -> Known | None:
        """What was accepted under this id, if it is the same content. Raises `MessageError`."""
        known = self._journal.find(camera, event.id)
        if known is None:
            if len(event.files) != 1:
                return None
            mark = self.drop.mark(camera, event.files[0])
            seq = self.drop.taken(event.files[0], mark, self._journal) if mark else None
            return Known(seq, 1, "") if seq else None
        if known.mark and not self._is_same(event, known.mark):
            raise m.MessageError(
                "id_reused",
                f"{event.id!r:.140} was accepted as {camera} {known.seq} with other content: "
                "give each image an id of its own, or none",
            )
        return known

    def _is_same(self, event: Event, known_mark: str) -> bool:
        """Raises `MessageError` where nobody can tell now."""
        if event.content is not None:
            return same_inline(known_mark, event.digest)
        marks = [self._mark_of(name) for name in event.files]
        if None in marks and not self._volume.confirm():
            raise self._busy(f"images volume: {self._volume.away}")
        return same_content(known_mark, event.files, marks)

    def _mark_of(self, name: str) -> str | None:
        """None: the file is not there (any more)."""
        try:
            return mark_of(stat_inside(self._settings.images_dir, name, MAX_IMAGE_BYTES))
        except PathError:
            return None

    def _take(
        self, camera: str, event: Event, first: int, unfit: dict[int, str]
    ) -> list[Taken | None]:
        """Custody of each image; None for one of a manifest that cannot be had, whose terminal
        status is added to `unfit`: nobody looks for it later, when it may be another file.

        Raises `MessageError` where a single file cannot, and `OSError`.
        """
        if event.content is not None:
            relative = kept_name(camera, first) + event.suffix
            return [self._custody.take_bytes(relative, event.content, event.digest)]
        taken = self._custody.take_plain(camera, first, event.files) if event.manifest else []
        for seq, name in enumerate(event.files[len(taken) :], first + len(taken)):
            try:
                taken.append(self._custody.take_file(camera, seq, name))
            except PathError as error:
                if not event.manifest:
                    raise m.MessageError(error.reason, error.detail) from None
                if error.reason == "not_found" and not self._volume.confirm():
                    raise self._busy(f"images volume: {self._volume.away}") from None
                unfit[len(taken)] = terminal_status("failed", error.reason, error.detail)
                taken.append(None)
        return taken

    def _stage(  # noqa: PLR0913, PLR0917 - an event and what was taken of it
        self,
        camera: str,
        event: Event,
        taken: list[Taken | None],
        wall: float,
        terminal: str | None,
        unfit: Mapping[int, str],
    ) -> list[dict[str, Any]]:
        items = items_of(camera, event, taken, wall)
        had = taken or [None] * len(items)
        more = [one.text if one else "" for one in had]
        mark = event_mark(event, taken)
        self._journal.stage(camera, event.id, items, terminal, mark, more, unfit)
        texts = self._journal.staged_texts(len(items))
        for index, (item, one, text) in enumerate(zip(items, had, texts)):
            own = (one.kept, one.stat[0]) if one and one.text else None
            self._staged.append(Image(item, unfit.get(index, terminal), text, own))
        return items

    def _pick_up(self, now: float, wall: float) -> None:
        """Files in the drop folder that no event named."""
        room = self._settings.max_backlog - self._backlog.outstanding - len(self._staged)
        for found in self.drop.scan(now, room):
            since = self._custody.group_size()
            try:
                self._pick_up_one(found, wall)
            except (PathError, OSError) as error:
                self._custody.discard(since)
                self.drop.put_off(found)
                if isinstance(error, OSError) and error.errno != errno.EBUSY:
                    self._pushed_back(error)
                    return
        gone = self.drop.gone()
        if gone:
            self._journal.forget_files(gone)

    def _pick_up_one(self, found: Found, wall: float) -> None:
        event_id = found.event_id
        known = self._journal.find(found.camera, event_id)
        if known is not None:
            self._picked(found, known.seq)
            return
        seq = self._journal.next_seq(found.camera)
        taken = self._custody.take_file(found.camera, seq, found.path)
        if taken.mark != found.mark:
            raise PathError("changed", "written again while it was picked up")
        event = Event(event_id, [found.path], odd=True)
        (item,) = self._stage(found.camera, event, [taken], wall, None, {})
        self._picked(found, item["seq"])

    def _picked(self, found: Found, seq: int) -> None:
        self.drop.picked(found.camera, found.path, found.mark, seq, self._journal)

    def _room_for(self, count: int) -> str | None:
        """The terminal status of new images, or None: they are processed. May drop old ones."""
        limit = self._settings.max_backlog
        backlog = self._backlog.outstanding + len(self._staged)
        over = backlog - len(self._terminals) + count - limit
        if backlog == 0 or (over <= 0 and backlog + count <= 2 * limit):
            return None
        detail = f"backlog {backlog} of {limit} images"
        # Records of dropped and missing images wait for the aggregator too, and are bounded.
        if (
            over <= 0
            or self._settings.backlog_policy == "reject"
            or len(self._terminals) + count > limit
        ):
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

    def _checked(self, error: m.MessageError) -> m.MessageError:
        """A file is "not found" only where its volume is there."""
        if error.reason == "not_found" and not self._volume.confirm():
            return self._busy(f"images volume: {self._volume.away}")
        return error

    def _pushed_back(self, error: OSError) -> m.MessageError:
        """The machine cannot take it now: the camera keeps it and sends it again."""
        if error.errno in FULL:
            self.full.refused(str(error))
            return m.MessageError("no_space", str(error))
        if error.errno == errno.EBUSY:  # a file that its camera is writing: its own trouble
            return self._busy(error.strerror or str(error))
        if self._volume.confirm():
            self._volume.failed(error)
        return self._busy(f"images volume: {error}")
