"""Backlog and credit against a reference: where is every image, and who may get it?

The machine does what the splitter's engine does with the two, in any order, with workers
that heartbeat, fall silent, restart, hang, forget batches, and an operator who drains them.
Times are quarters of a second, so that limits are met exactly.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contract.messages import Heartbeat
from lambdas.splitter.backlog import Backlog, Image
from lambdas.splitter.credit import ABSENT_LONGEST_S, DOUBT_S, STALE_S, Batch, Credit

STREAMS, WORKERS = ("a", "b", "c"), ("w0", "w1", "w2")
WINDOW, BATCH, TIMEOUT_S = 2, 3, 5.0
HARD_S = (WINDOW + 1) * BATCH * TIMEOUT_S
WAITS, SUSPECT, JUDGED, CLOSED = "waits", "suspect", "terminated", "closed"


BUSY_MS = (0, 0, 0, 0, 5000, 5001)
rarely = st.sampled_from((False,) * 5 + (True,))


class Dispatch(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.backlog = Backlog()
        self.credit = Credit(WORKERS, WINDOW, BATCH, TIMEOUT_S)
        self.images = {}
        self.place = {}  # (stream, seq) → WAITS, SUSPECT, JUDGED, CLOSED or a batch
        self.next = dict.fromkeys(STREAMS, 1)
        # Per worker: state, when heard, incarnation, what it holds as batch → keys still open
        self.ref = {n: {"state": "unknown", "heard": 0.0, "inc": "", "has": {}} for n in WORKERS}
        self.incarnations = 0
        self.drained = set()
        self.turn = []  # streams in the order in which they began to wait
        self.reserved = None

    # What the reference knows

    def at(self, place):
        return [key for key, where in self.place.items() if where == place]

    def answers(self, name, within_s=STALE_S):
        one = self.ref[name]
        fresh = self.now - one["heard"] <= within_s
        return one["state"] == "ready" and fresh and name not in self.drained

    def alone(self, name):
        return any(batch.alone for batch in self.ref[name]["has"])

    def open_workers(self):
        return [
            n for n in WORKERS
            if self.answers(n) and len(self.ref[n]["has"]) < WINDOW
            and n != self.reserved and not self.alone(n)
        ]  # fmt: skip

    def load(self, name):
        return sum(len(keys) for keys in self.ref[name]["has"].values())

    def lose(self, name):
        """The worker no longer has what it held; the keys, as the engine would see them."""
        lost, self.ref[name]["has"] = self.ref[name]["has"], {}
        return lost

    def hand_back(self, batches, expected):
        """What `credit` gave back is what the reference expects; it goes on as suspects."""
        assert {id(b) for b in batches} == {id(b) for b in expected}
        for batch in batches:
            for image in batch.images:
                if image.batch is not None and image.batch[1] is batch:
                    assert (image.stream, image.seq) in expected[batch]
                    self.backlog.suspect(image)
                    self.place[image.stream, image.seq] = SUSPECT

    # What happens

    @initialize()
    def everybody_is_there(self):
        for name in WORKERS:
            self.heartbeat(name, again=False, busy=0)
        for stream in STREAMS:
            self.accept(stream, 4, terminated=False)

    @rule(stream=st.sampled_from(STREAMS), count=st.integers(1, 5), terminated=rarely)
    def accept(self, stream, count, terminated):
        for _ in range(count):
            seq = self.next[stream]
            self.next[stream] += 1
            image = Image({"stream": stream, "seq": seq}, "dropped" if terminated else None)
            self.backlog.add(image)
            self.images[stream, seq] = image
            if terminated:
                self.place[stream, seq] = JUDGED
            else:
                self.waits((stream, seq))

    def waits(self, key):
        self.place[key] = WAITS
        if key[0] not in self.turn:
            self.turn.append(key[0])

    @rule(refused=rarely, times=st.integers(1, 4))
    def dispatch(self, refused, times):
        for _ in range(times):
            self.dispatch_once(refused)

    def dispatch_once(self, refused):
        free = self.open_workers()
        granted = self.credit.grant(max(self.backlog.waiting, 1), BATCH, self.now)
        if granted is None:
            # Nobody has a credit, or somebody else is done sooner with what he has and this.
            assert not free or any(map(self.load, WORKERS))
            return
        worker, count = granted
        assert worker.name in free
        assert 1 <= count <= BATCH
        taken = self.backlog.take(count)
        waiting = sorted(self.at(WAITS))
        assert len(taken) == min(count, len(waiting))
        for image in taken:
            # The lowest number that waits of the next stream in turn that has one.
            key = image.stream, image.seq
            while not any(stream == self.turn[0] for stream, _ in waiting):
                self.turn.pop(0)
            stream = self.turn.pop(0)
            self.turn.append(stream)
            assert key == min(k for k in waiting if k[0] == stream)
            waiting.remove(key)
        if len(taken) < count:  # it looked for more everywhere
            self.turn.clear()
        if taken:
            self.send(worker, taken, alone=False, refused=refused)

    def send(self, worker, taken, alone, refused):
        batch = Batch(f"b{self.now}-{id(taken)}", taken, self.now, alone)
        assert batch.attempt == 1 + max(image.attempt for image in taken)
        self.credit.assign(worker, batch)
        keys = {(image.stream, image.seq) for image in taken}
        if refused:
            self.credit.withdraw_batch(worker, batch)
            for image in taken:
                key = image.stream, image.seq
                if alone:
                    self.backlog.suspect(image)
                    self.place[key] = SUSPECT
                else:
                    self.backlog.again(image)
                    self.waits(key)
            return
        self.ref[worker.name]["has"][batch] = keys
        for key in keys:
            self.place[key] = batch

    @rule(avoid=st.sets(st.sampled_from(WORKERS), max_size=2), refused=rarely)
    def dispatch_suspect(self, avoid, refused):
        image = self.backlog.next_suspect()
        suspects = self.at(SUSPECT)
        assert (image is None) == (not suspects)
        if image is None:
            self.credit.unreserve()
            self.reserved = None
            return
        assert image.seq == min(seq for _, seq in suspects)
        worker = self.credit.pick_idle(tuple(avoid), self.now)
        # Only who was just heard: what a dead worker does not do is no evidence.
        ready = [n for n in WORKERS if self.answers(n, DOUBT_S)]
        fit = [n for n in ready if n not in avoid] or ready
        idle = [n for n in fit if not self.ref[n]["has"]]
        # Which busy worker is kept free meanwhile is the credit's own choice; it counts.
        self.reserved = self.credit._reserved
        assert (worker is not None) == bool(idle)
        if worker is not None:
            assert worker.name in idle
            assert self.backlog.take_suspect() is image
            self.send(worker, [image], alone=True, refused=refused)

    @rule(
        name=st.sampled_from(WORKERS), again=rarely, busy=st.sampled_from([0, 0, 0, 0, 5000, 5001])
    )
    def heartbeat(self, name, again, busy):
        one = self.ref[name]
        new = again or not one["inc"]
        self.incarnations += new
        incarnation = f"i{self.incarnations}" if new else one["inc"]
        expected = {}
        if new or busy > TIMEOUT_S * 1000:
            expected = self.lose(name)
        one["inc"], one["heard"] = incarnation, self.now
        one["state"] = "hung" if busy > TIMEOUT_S * 1000 else "ready"
        heartbeat = Heartbeat(name, incarnation, "heartbeat", None, float(busy), None)
        self.hand_back(self.credit.heard(heartbeat, self.now), expected)

    @rule(name=st.sampled_from(WORKERS), forgets=st.integers(0, WINDOW))
    def forgetful_heartbeats(self, name, forgets):
        """Two heartbeats in a row that do not name a batch take it back, if it is old enough."""
        has = self.ref[name]["has"]
        forgotten = list(has)[:forgets]
        named = [batch.id for batch in has if batch not in forgotten]
        heartbeat = Heartbeat(name, self.ref[name]["inc"], "heartbeat", None, 0.0, named)
        due = [
            batch for batch in forgotten
            if self.now - batch.sent_at >= min(2.0 * 2 ** (batch.attempt - 1), ABSENT_LONGEST_S)
        ]  # fmt: skip
        missed = {batch: batch.absent for batch in due}
        lost = self.credit.absent(heartbeat, self.now)
        lost += self.credit.absent(heartbeat, self.now)
        assert {id(b) for b in lost} == {id(b) for b in due}
        assert all(count < 2 for count in missed.values())
        for batch in lost:
            for key in has.pop(batch):
                self.backlog.again(self.images[key])
                self.waits(key)

    @rule(quarters=st.sampled_from([1, 1, 2, 2, 4, 5, 8, 10, 11, 20, 21, 181]))
    def time_passes(self, quarters):
        self.now += quarters / 4
        expected = {}
        for name, one in self.ref.items():
            if one["state"] in ("ready", "hung") and self.now - one["heard"] > TIMEOUT_S:
                one["state"] = "silent"
                expected[name] = self.lose(name)
            for batch in [b for b in one["has"] if self.now - b.sent_at > HARD_S]:
                expected.setdefault(name, {})[batch] = one["has"].pop(batch)
        lost = self.credit.silent(self.now)
        assert set(lost) == set(expected)
        for name, batches in lost.items():
            self.hand_back(batches, expected[name])

    @rule(data=st.data(), before=st.integers(0, 2), more=st.integers(0, 6))
    def commit_downstream(self, data, before, more):
        stream, seq = data.draw(st.sampled_from(sorted(self.place)))
        first = max(seq - before, 1)
        wanted = {
            (stream, seq) for seq in range(first, first + more + 1)
            if self.place.get((stream, seq), CLOSED) != CLOSED
        }  # fmt: skip
        done = {n: self.credit.workers[n].done for n in WORKERS}
        closed = self.backlog.close(stream, first, first + more)
        assert {(image.stream, image.seq) for image in closed} == wanted
        for image in closed:
            key, where = (image.stream, image.seq), self.place[image.stream, image.seq]
            self.credit.finished(image, self.now)
            self.place[key] = CLOSED
            for name, one in self.ref.items():
                if where in one["has"]:
                    done[name] += 1
                    one["has"][where].discard(key)
                    if not one["has"][where]:
                        del one["has"][where]
        assert {n: self.credit.workers[n].done for n in WORKERS} == done

    @precondition(lambda self: self.at(WAITS) or self.at(SUSPECT))
    @rule(data=st.data())
    def terminate(self, data):
        key = data.draw(st.sampled_from(sorted(self.at(WAITS) + self.at(SUSPECT))))
        self.backlog.terminate(self.images[key], "dropped")
        self.place[key] = JUDGED

    @rule(names=st.none() | st.lists(st.sampled_from((*WORKERS, "stranger")), max_size=2),
          on=rarely)  # fmt: skip
    def drain(self, names, on):
        self.credit.drain(names, on)
        chosen = set(WORKERS if names is None else names) & set(WORKERS)
        self.drained = self.drained | chosen if on else self.drained - chosen
        assert set(self.credit.drained) == self.drained

    # What always holds

    @invariant()
    def every_image_is_in_one_place(self):
        open_keys = [key for key, where in self.place.items() if where != CLOSED]
        assert self.backlog.outstanding == len(open_keys)
        assert self.backlog.waiting == len(self.at(WAITS)) + len(self.at(SUSPECT))
        for key, where in self.place.items():
            image = self.backlog.get(*key)
            assert image is (None if where == CLOSED else self.images[key])
            if where not in (CLOSED, JUDGED):
                held = image.batch[1] if image.batch else None
                assert held is (where if isinstance(where, Batch) else None)
        waiting = [(i.stream, i.seq) for i in self.backlog.oldest_waiting()]
        assert sorted(waiting) == sorted(self.at(WAITS) + self.at(SUSPECT))

    @invariant()
    def low_is_the_lowest_open_number(self):
        for stream in STREAMS:
            numbers = [s for (name, s), w in self.place.items() if name == stream and w != CLOSED]
            if numbers:
                assert self.backlog.low(stream) == min(numbers)

    @invariant()
    def workers_hold_what_the_reference_says(self):
        for name, one in self.ref.items():
            worker = self.credit.workers[name]
            assert set(worker.batches.values()) == set(one["has"])
            assert len(one["has"]) <= WINDOW
            assert (worker.state, worker.load) == (one["state"], self.load(name))
            told = self.credit.describe(worker)
            given = one["state"] == "ready" and name not in self.drained
            assert told["credits"] == (WINDOW - len(one["has"]) if given else 0)
            if given or one["state"] != "ready":
                assert told["state"] == one["state"]
            else:
                assert told["state"] == ("draining" if one["has"] else "drained")


TestDispatch = Dispatch.TestCase
TestDispatch.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestDispatch.pytestmark = [pytest.mark.slow]


@pytest.mark.soak
class TestDispatchLong(Dispatch.TestCase):
    """The size of the reliability table: 2,000 runs of 50 steps."""

    settings = settings(max_examples=2_000, stateful_step_count=50, deadline=None)
