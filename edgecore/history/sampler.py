"""Live images that a site wants to keep, from the worker's answer to the history's file.

``offer`` is on the path of the images: it puts the answer into a queue. A thread reads it, chooses,
and gives the image a second name before the splitter gives up its own; the history's writer takes
the bytes once the image has its row. What is left out is counted by reason.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from contract.topics import Topics
from contract.volumes import INBOX, kept_name
from edgecore.core.observers import Message
from edgecore.core.stats import mapping
from edgecore.history.rows import labels_of
from edgecore.history.sample_files import Hold, LeftOutError, SampleFiles
from edgecore.history.sample_rules import Pace, SampleRule, Samples

MAX_MESSAGES = 1_000
MAX_HELD = 256
PATIENCE_S = 600.0
"""For the row of an image in the history: a stream may wait for an earlier image."""
SETTLE_S = 0.5
MAX_REMEMBERED = 4_096

log = logging.getLogger(__name__)

Key = tuple[str, int, str]


class Sample(NamedTuple):
    """One image on its way into the history."""

    key: Key
    rule: str
    hold: Hold
    answer: str
    since: float
    t: float


@dataclass(frozen=True)
class _Answer:
    """A worker's message, or one pair of a canary."""

    payload: bytes | None = None
    record: Mapping[str, Any] | None = None
    other: Mapping[str, Any] | None = None
    held: Hold | None = None


class Sampler:
    """``show`` for every group that runs, ``offer`` for every message; ``due`` and ``done`` in the
    writer's thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._wall = clock, wall
        self._samples = Samples()
        self._done_topic = ""
        self._files: SampleFiles | None = None
        self._pace = Pace()
        self._queue: deque[_Answer] = deque()
        self._arrived = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._held: OrderedDict[Key, Sample] = OrderedDict()
        self._known: OrderedDict[Key, None] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._left_out: Counter[str] = Counter()
        self._matched = self._kept = 0

    def show(self, site: str, images_dir: str, samples: Samples) -> None:
        """Another group runs."""
        self._samples = samples
        wanted = bool(site and images_dir and samples.rules)
        self._done_topic = Topics(site).done if wanted else ""
        if wanted and (self._files is None or not self._files.is_at(images_dir)):
            self._files = SampleFiles(images_dir)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        self._arrived.set()
        if self._thread is not None:
            self._thread.join(5)
        with self._lock:
            self._left_out["the core ended"] += len(self._held)
            self._held.clear()
        if self._files is not None and self._thread is not None:
            self._files.end()

    # The path of the images.

    def offer(self, message: Message) -> None:
        if message.topic == self._done_topic and self._done_topic:
            self._put(_Answer(payload=message.payload))

    def differ(self, old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> None:
        """Two models differ about one image; ``name``: a file of it that is there now."""
        if self._done_topic and any(rule.disagreement for rule in self._samples.rules):
            files = self._files
            held = files.hold([name], str(old.get("sha256") or "")) if files and name else None
            self._put(_Answer(record=old, other=new, held=held))

    def _put(self, answer: _Answer) -> None:
        if len(self._queue) >= MAX_MESSAGES:
            self._left_out["too many at once"] += 1
            return
        self._queue.append(answer)
        self._arrived.set()

    # Its own thread.

    def _run(self) -> None:
        while not self._stopping:
            self._arrived.wait()
            self._arrived.clear()
            self.choose()

    def choose(self) -> None:
        """Look at what has come."""
        while self._queue and not self._stopping:
            answer = self._queue.popleft()
            try:
                for record in _records(answer):
                    self._look(record, answer)
            except Exception:  # anybody may have sent it
                log.debug("samples: an answer does not read", exc_info=True)

    def _look(self, record: Mapping[str, Any], answer: _Answer) -> None:
        camera, seq = str(record["stream"]), int(record["seq"])
        key = camera, seq, str(record.get("id") or "")
        rule = self._rule_for(record, key, disagreement=answer.other is not None)
        if rule is None or key in self._known:
            if answer.held is not None and self._files is not None:
                self._files.release(answer.held)
            return
        self._matched += 1
        if len(self._held) >= MAX_HELD:
            self._left_out["too many at once"] += 1
        elif not self._pace.admits(rule, camera, self._clock()):
            self._left_out["rate"] += 1
        else:
            self._take(key, rule, record, answer)
            return
        if answer.held is not None and self._files is not None:
            self._files.release(answer.held)

    def _rule_for(
        self, record: Mapping[str, Any], key: Key, *, disagreement: bool
    ) -> SampleRule | None:
        if record.get("status") != "ok" and not disagreement:
            return None
        labels = labels_of(mapping(record.get("output")))
        image = f"{key[0]}/{key[1]}/{key[2]}"
        return self._samples.rule_for(image, key[0], labels, disagreement=disagreement)

    def _take(self, key: Key, rule: SampleRule, record: Mapping[str, Any], answer: _Answer) -> None:
        files = self._files
        assert files is not None  # noqa: S101 - there are no rules without
        hold = answer.held or files.hold(_names(record), str(record.get("sha256") or ""))
        said = dict(record) if answer.other is None else {**record, "other": dict(answer.other)}
        sample = Sample(key, rule.name, hold, json.dumps(said), self._clock(), self._wall())
        with self._lock:
            self._held[key] = sample
            self._known[key] = None
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)

    # The history's writer.

    @property
    def max_bytes(self) -> int:
        return self._samples.max_bytes

    def due(self, most: int) -> list[Sample]:
        """The ones that have waited longest, whose row may be there by now."""
        now = self._clock()
        with self._lock:
            held = list(self._held.values())
        for sample in held:
            if now - sample.since > PATIENCE_S:
                self.done(sample, "it got no row in the history")
        return [s for s in held if SETTLE_S <= now - s.since <= PATIENCE_S][:most]

    def later(self, sample: Sample) -> None:
        """Its row is not there yet: others first."""
        with self._lock, contextlib.suppress(KeyError):
            self._held.move_to_end(sample.key)

    def content(self, sample: Sample) -> bytes:
        """Raises LeftOutError."""
        if self._files is None:
            raise LeftOutError("its file was gone")
        return self._files.read(sample.hold)

    def done(self, sample: Sample, left_out: str = "") -> None:
        """It is in the history, or will never be."""
        with self._lock:
            self._held.pop(sample.key, None)
        if self._files is not None:
            self._files.release(sample.hold)
        if left_out:
            self._left_out[left_out] += 1
        else:
            self._kept += 1

    def status(self) -> Mapping[str, Any]:
        """Since the core's start. ``matched``: a rule was true of them; ``left_out``: of those."""
        left_out = dict(self._left_out)
        return {
            "rules": [rule.name for rule in self._samples.rules],
            "quota_bytes": self._samples.max_bytes,
            "matched": self._matched,
            "kept": self._kept,
            "waiting": len(self._held),
            "left_out": sum(left_out.values()),
            "left_out_by_reason": left_out,
        }


def _records(answer: _Answer) -> Iterator[Mapping[str, Any]]:
    """Each result with the model and worker that its message names."""
    if answer.record is not None:
        yield answer.record
        return
    content = json.loads(answer.payload or b"")
    head = {key: content[key] for key in ("worker", "model") if key in content}
    for record in content.get("results") or ():
        yield {**head, **record}


def _names(record: Mapping[str, Any]) -> list[str]:
    """Of the image's file: the splitter's own one, then the one that its camera gave it."""
    file = str(record.get("file") or "")
    if file.startswith(f"{INBOX}/"):
        return [file]
    return [kept_name(str(record["stream"]), int(record["seq"])), file]
