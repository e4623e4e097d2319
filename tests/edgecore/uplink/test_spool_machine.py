"""The store against a reference of thirty lines, through crashes and quotas."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edgecore.uplink.spool_store import SpoolStore

QUOTA_BYTES = 262_144


class Spool(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "s.sqlite3"
        self.store = SpoolStore(self.path, max_bytes=QUOTA_BYTES, policy="drop_oldest")
        self.put = self.sent = self.next = 0
        self.kept: list[int] = []  # numbers in the spool, by the reference
        self.sizes: dict[int, int] = {}
        self.in_flight: list[tuple[int, int]] = []  # (message id, number)

    @rule(count=st.integers(1, 40), size=st.sampled_from([8, 500, 3000, 9000]))
    def put_some(self, count: int, size: int) -> None:
        numbers = range(self.next, self.next + count)
        self.next += count
        rows = [("t", b"%08d" % n + bytes(size - 8)) for n in numbers]
        assert self.store.commit(rows) == [None] * count
        self.put += count
        self.sizes.update(dict.fromkeys(numbers, size + 1))  # and the topic
        self.kept += numbers
        lost = len(self.kept) - self.store.account.rows
        # Only the oldest may go, and never one that is in flight.
        held = len(self.in_flight)
        self.kept = self.kept[:held] + self.kept[held + lost :]

    @rule(count=st.integers(1, 30))
    def lease(self, count: int) -> None:
        found = self.store.peek(count, QUOTA_BYTES // 4)
        self.in_flight = [(m.id, int(m.payload[:8])) for m in found]
        assert [n for _, n in self.in_flight] == self.kept[: len(found)]
        assert bool(found) == bool(self.kept)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        taken = data.draw(st.integers(1, len(self.in_flight)))
        self.store.commit([], ack=self.in_flight[taken - 1][0])
        self.sent += taken
        self.kept = self.kept[taken:]
        self.in_flight = []
        self.store.protected = 0

    @precondition(lambda self: self.in_flight)
    @rule()
    def refuse_the_first(self) -> None:
        before = self.store.account.dropped["refused"]
        self.store.drop_first(self.in_flight[0][0], "refused")
        assert self.store.account.dropped["refused"] == before + 1
        self.kept = self.kept[1:]
        self.in_flight = []
        self.store.protected = 0

    @rule(torn=st.booleans())
    def crash(self, torn: bool) -> None:
        """A copy of the files is what a killed process leaves behind."""
        copy = Path(tempfile.mkdtemp(dir=self.folder))
        for suffix in ("", "-wal"):
            source = Path(f"{self.path}{suffix}")
            if source.exists():
                shutil.copy(source, copy / f"s.sqlite3{suffix}")
        if torn and (wal := copy / "s.sqlite3-wal").exists():
            with wal.open("ab") as file:
                file.write(b"half a frame of a commit that never ended" * 50)
        self.store.close()
        self.path = copy / "s.sqlite3"
        self.store = SpoolStore(self.path, max_bytes=QUOTA_BYTES, policy="drop_oldest")
        self.in_flight = []

    @invariant()
    def the_account_is_exact(self) -> None:
        account = self.store.account
        assert account.rows == len(self.kept)
        assert account.bytes == sum(self.sizes[number] for number in self.kept)
        assert account.put == self.put
        assert account.sent == self.sent
        assert account.put == account.sent + account.rows + account.dropped.total()

    @invariant()
    def the_file_stays_within_its_quota(self) -> None:
        assert self.path.stat().st_size <= QUOTA_BYTES

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestSpool = Spool.TestCase
TestSpool.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
