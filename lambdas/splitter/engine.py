"""The splitter: accept durably, dispatch by credit, forget when committed downstream.

One step takes all messages that came, commits once, then sends. What must survive is in
the journal; everything else is rebuilt from it and from what workers and aggregator say.
"""

from __future__ import annotations

import json
from functools import lru_cache

from contract import messages as m
from contract.topics import Topics
from lambdas.common.bus import Bus
from lambdas.common.fault_points import fault
from lambdas.common.health import HealthReport
from lambdas.common.log import Throttle, get_logger
from lambdas.common.loop import Message, Part
from lambdas.common.settings import SplitterSettings
from lambdas.common.state_volume import StateVolume
from lambdas.splitter.admission import Admission
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.credit import Credit
from lambdas.splitter.custody import FULL, Custody
from lambdas.splitter.dispatch import Dispatch
from lambdas.splitter.journal import Journal
from lambdas.splitter.leftovers import Leftovers
from lambdas.splitter.link import Link
from lambdas.splitter.losses import Losses
from lambdas.splitter.stats import counted, stats_of
from lambdas.splitter.tables import JournalFullError
from lambdas.splitter.terminal import TerminalRecords
from lambdas.splitter.volume import Volume

STATS_EVERY_S = 1.0
FLUSH_EVERY_S = 0.25
# Who has fallen silent is looked for as often: it takes every worker.
LOOK_EVERY_S = 0.1
# Of all streams together, so that the question fits a message.
RANGES_PER_SYNC = 3_000

_log = get_logger("splitter")


# An idle worker says the same every second.
_read_heartbeat = lru_cache(maxsize=256)(m.parse_heartbeat)


class Splitter(Part):
    def __init__(self, settings: SplitterSettings, bus: Bus, now: float) -> None:
        self._settings = settings
        self._bus = bus
        self._heartbeat_topic = Topics(settings.site).heartbeat
        self.journal = Journal(f"{settings.own_state_dir}/journal.sqlite3", settings.journal_bytes)
        notes = self.journal.notes
        self.backlog = Backlog()
        self.credit = Credit(
            settings.workers, settings.window, settings.batch, settings.worker_timeout_s
        )
        self.link = Link(self.journal, self._numbers, self._begin_run, now)
        self.custody = Custody(settings.images_dir, settings.custody, settings.custody_bytes)
        self.volume = Volume(
            settings.images_dir, notes.volume, notes.remember_volume,
            notes.volume_apart, notes.remember_volume_apart, settings.own_state_dir,
        )  # fmt: skip
        self.state_volume = StateVolume("splitter", settings.own_state_dir)
        self.terminals = TerminalRecords(self.journal)
        self.admission = Admission(
            settings, self.journal, self.backlog, self.custody, self.volume, self.terminals
        )
        self._health = HealthReport(settings, settings.health, "splitter", bus, now)
        self._stats_at = self._flush_at = now
        self._look_at = float("-inf")
        self._news = self._was_ready = self._tidies = False
        self._throttle = Throttle(10.0)
        self.done = self._stats_done = 0
        self.dispatch = Dispatch(
            settings, bus, self.journal, self.backlog, self.credit, self.terminals, now
        )
        self.credit.drain(notes.drained, on=True)
        self._load()
        self._losses = Losses(self.journal, self.backlog, self.terminals)
        self.leftovers = Leftovers(
            settings=settings, journal=self.journal, backlog=self.backlog, custody=self.custody,
            link=self.link, terminals=self.terminals,
        )  # fmt: skip

    def _load(self) -> None:
        for text, terminal in self.journal.unfinished():
            image = Image(json.loads(text), terminal, text)
            self.custody.holds(image)
            self.backlog.add(image)
            if terminal:
                self.terminals.add(image)
        if self.backlog.outstanding:
            _log.info("%d images wait in the journal", self.backlog.outstanding)

    def step(self, messages: list[Message], now: float, wall: float) -> None:
        self.journal.tick(now)
        self.volume.look(now, empty=not self.backlog.outstanding)
        for message in messages:
            self._sort(message, now)
        if self.volume.ready and self.link.ready:
            self.leftovers.look()
        self.admission.admit(self.link.ready, now, wall)
        replies = self._commit(now)
        if self._settings.on_demand:
            self.credit.assume(now)
        looks = now - self._look_at >= LOOK_EVERY_S
        if looks:
            self._look_at = now
            self._look_for_silent(now)
        asked = self.link.due(self._settings.done_topic, now)
        ended = self.terminals.due(self._settings.done_topic, self.backlog, now)
        works = self.link.ready and self.volume.ready
        self.dispatch.send(now, self.volume.identity if works else None, [*replies, *asked, *ended])
        if replies:
            fault("splitter.after_accepted")
        if self._tidies:
            # Behind what is waited for: the worker begins meanwhile.
            self._tidies = False
            self.custody.removals.tidy(now)
        if looks:
            self.dispatch.probe(now)
        if now - self._stats_at >= STATS_EVERY_S:
            self._stats_at = now
            self.state_volume.look(self.journal.has_room)
            self.admission.answers.finished((self.done - self._stats_done) / STATS_EVERY_S)
            self._stats_done = self.done
            self._publish_stats(now, wall)
            self._health.pump(*counted(self), now, wall)
        elif self._news or self.link.ready != self._was_ready:
            # Somebody waits for a worker's hello, or for the aggregator.
            self._publish_stats(now, wall)

    def _look_for_silent(self, now: float) -> None:
        self.dispatch.recover(self.credit.silent(now), "answers no more", now)
        if self.link.alive(now):
            for batch in self.credit.missing(now):
                self.dispatch.try_elsewhere(batch)

    def others_likely(self, messages: list[Message]) -> int:
        """None where one image came at most and one acknowledgement: so they come together from
        who sends one at a time, and to wait for more would be to wait for nobody."""
        prefix = self._settings.images_topic
        heard = [
            message.subject for message in messages if message.subject != self._heartbeat_topic
        ]
        images = sum(subject.startswith(prefix) for subject in heard)
        return len(heard) if max(images, len(heard) - images) > 1 else 0

    def close(self) -> None:
        self.journal.close()
        self.leftovers.report(float("inf"))

    def _numbers(self) -> dict[str, tuple[int, list[list[int]]]] | None:
        """What this journal knows of its numbers; a damaged one does not know which are done."""
        if self.journal.notes.unsettled:
            return None
        streams = self.journal.streams()
        share = max(RANGES_PER_SYNC // max(len(streams), 1), 1)
        return {
            name: (self.journal.committed_next(name), self.backlog.open_ranges(name, share))
            for name in streams
        }

    def _begin_run(self) -> bool:
        """False: the disk is full; the aggregator is asked again."""
        streams = {*self._settings.cameras, *self.journal.streams()}
        unfinished = {name: self.backlog.open_ranges(name, 1) for name in streams}
        low = {name: ranges[0][0] - 1 for name, ranges in unfinished.items() if ranges}
        try:
            self.journal.begin_run(sorted(streams), low)
        except JournalFullError as error:
            self.state_volume.failed(error)
            return False
        return True

    # Messages

    def _sort(self, message: Message, now: float) -> None:
        prefix = self._settings.images_topic
        if message.subject.startswith(prefix):
            camera = message.subject[len(prefix) :]
            if "/" not in camera:
                self.admission.received(camera, message.payload, now, self.link.ready)
            return
        try:
            if message.subject == self._heartbeat_topic and isinstance(message.payload, bytes):
                self._on_heartbeat(_read_heartbeat(message.payload), now)
                return
            body = m.decode(message.payload)
            if "kind" in body:
                self._on_heartbeat(m.parse_heartbeat(body), now)
            elif "pause" in body:
                pause = m.parse_pause(body)
                self.credit.pause(pause.workers, now + pause.seconds)
            elif "drain" in body:
                self._on_control(m.parse_control(body))
            else:
                self._on_ack(m.parse_ack(body), now)
        except m.MessageError as error:
            if self._throttle.due(message.subject) is not None:
                _log.warning("ignored a message on %s: %s", message.subject, error)

    def _on_ack(self, ack: m.Ack, now: float) -> None:
        if not self.link.heard(ack, now):
            return
        self._losses.heard(ack.low_watermark)
        for stream, ranges in ack.acks:
            for first, last in ranges:
                self._close(stream, first, last, now)
        for stream, low_watermark in ack.low_watermark.items():
            self._close(stream, 1, low_watermark, now)

    def _close(self, stream: str, first: int, last: int, now: float) -> None:
        closed = self.backlog.close(stream, first, last)
        for image in closed:
            self.credit.finished(image, now)
            self.custody.release(image)
            if image.terminal:
                self.terminals.closed(image)
        if closed:
            self.done += len(closed)
            for low, high in m.to_ranges(image.seq for image in closed):
                self.journal.forget(stream, low, high)

    def _on_heartbeat(self, heartbeat: m.Heartbeat, now: float) -> None:
        lost = self.credit.heard(heartbeat, now)
        self._news = self._news or heartbeat.kind == "hello"
        what = f"ended, {heartbeat.earlier_end}" if heartbeat.earlier_end else "ended or hung"
        self.dispatch.recover(
            {heartbeat.worker: lost} if lost else {}, what, now, heartbeat.earlier_end
        )
        if self.link.alive(now):
            for batch in self.credit.absent(heartbeat, now):
                self.dispatch.again(batch)

    def _on_control(self, control: m.Control) -> None:
        self.credit.drain(control.workers, control.drain)
        drained = self.credit.drained
        _log.warning("drained by the operator: %s", ", ".join(drained) or "no worker any more")
        try:
            self.journal.notes.remember_drained(drained)
        except JournalFullError as error:
            _log.error("drained only until the next restart, the disk is full: %s", error)

    # Work that goes out

    def _commit(self, now: float) -> list[tuple[str, bytes]]:
        """Make admissions durable; replies about them go out only now."""
        if not (self.admission.staged or now - self._flush_at >= FLUSH_EVERY_S):
            return self.admission.answers.due()
        self._flush_at = now
        refusal = self._make_durable()
        if refusal is None:
            if self.custody.group_size():
                self.volume.took()
            self.custody.keep()
            self._tidies = True
            self.admission.committed()
            self.leftovers.report(now)
            return self.admission.answers.due()
        self.custody.discard()
        if isinstance(refusal, JournalFullError):
            self.state_volume.failed(refusal)
            self.admission.refused()
            return self.admission.answers.due()
        if self._throttle.due("no room") is not None:
            _log.error("no new images are taken: %s", refusal)
        if isinstance(refusal, OSError) and refusal.errno not in FULL:
            self.volume.failed(refusal)
            self.admission.refused("busy", f"images volume: {refusal}")
        else:
            self.admission.full.refused(str(refusal))
            self.admission.refused()
        return self.admission.answers.due()

    def _make_durable(self) -> Exception | None:
        """The images, then the journal that names them; the error of a full disk."""
        refusal: Exception | None = None
        try:
            self.custody.sync()
        except OSError as error:
            # Without its file an image must not be in the journal; acknowledged ones go on.
            self.journal.unstage()
            refusal = error
        try:
            if self.journal.dirty:
                self.journal.commit()
        except JournalFullError as error:
            refusal = error
        return refusal

    def _publish(self, outgoing: list[tuple[str, bytes]]) -> None:
        if outgoing:
            self._bus.publish_all(outgoing)

    def _publish_stats(self, now: float, wall: float) -> None:
        self._news, self._was_ready = False, self.link.ready
        if self._settings.stats_topic:
            self._publish([(self._settings.stats_topic, m.encode(stats_of(self, now, wall)))])
