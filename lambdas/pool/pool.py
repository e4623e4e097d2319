"""N worker processes under one owner: least loaded first, the dead replaced.

A process that ends gives back what it held: each image is a suspect and tried again by
itself; when it is poison is `lambdas.common.poison`'s rule.
"""

from __future__ import annotations

import threading
from typing import Any, Mapping, Sequence

from contract.accelerators.cards import GpuId
from contract.messages import Record, decode, result_failed
from lambdas.common.log import get_logger
from lambdas.common.pipes import feed, hang_up
from lambdas.common.poison import ends_needed, signal_of
from lambdas.common.waiting import Flag, ended_within
from lambdas.pool.member import Job, Member

# One under work, one to decode meanwhile.
IN_HAND = 2
STARTS_TO_GIVE_UP = 3
CPU = GpuId(-1)
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 30.0

_log = get_logger("pool")


class Owner:
    """What a pool reports, from its own threads; subclasses decide what becomes of it."""

    def done(self, job: Job, results: list[Record]) -> None:
        raise NotImplementedError

    def ready(self, model: Record) -> None:
        """The first process is ready, with this model."""

    def broken(self, message: str) -> None:
        """Processes end again and again, and none was ever ready."""
        raise NotImplementedError


class Pool:
    """`submit` takes work; `gpu_ids` are dealt round-robin, none is the CPU."""

    def __init__(
        self,
        count: int,
        gpu_ids: Sequence[GpuId],
        env: Mapping[str, str],
        owner: Owner,
    ) -> None:
        if count < 1:
            raise ValueError(f"pool of {count} processes: at least 1")
        self._env, self._owner = env, owner
        self._changed = threading.Condition()
        self._suspects: list[Job] = []
        self._stopping = Flag()
        self._ever_ready = False
        #: What its processes run on, each card once; grows while they become ready.
        self.accelerators: list[Record] = []
        self.members = [
            Member(index, gpu_ids[index % len(gpu_ids)] if gpu_ids else CPU)
            for index in range(count)
        ]
        self._threads = [
            threading.Thread(target=self._keep, args=(member,), daemon=True)
            for member in self.members
        ]

    def start(self) -> Pool:
        for thread in self._threads:
            thread.start()
        return self

    def submit(self, job: Job) -> None:
        """Give the job to the least loaded process; waits until one has room."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or self._give(job))

    def drain(self) -> None:
        """Return when nothing is in hand."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or not self._held())

    def in_hand(self) -> list[str]:
        """Batches that the pool holds."""
        with self._changed:
            return self._held()

    @property
    def trouble(self) -> str:
        """Why a process cannot read images now; "": all can."""
        return next((member.trouble for member in self.members if member.trouble), "")

    def stop(self, timeout_s: float = 10.0) -> None:
        """End every process."""
        self._stopping.set()
        with self._changed:
            for member in self.members:
                if member.process is not None:
                    member.process.kill()
            self._changed.notify_all()
        for thread in self._threads:
            ended_within(thread, timeout_s)

    def _held(self) -> list[str]:
        held = [job.batch for member in self.members for job in member.jobs.values()]
        return list(dict.fromkeys(held + [job.batch for job in self._suspects]))

    def _give(self, job: Job) -> bool:
        fit = [member for member in self.members if member.takes(job, IN_HAND)]
        if not fit:
            return False
        member = min(fit, key=lambda each: len(each.jobs))
        # Items of one batch may come back one by one: the key is the pool's own.
        key = _key(job.batch, job.items)
        member.jobs[key] = job
        if member.process is not None:  # where it is dying, its keeper takes the job back
            feed(member.process, job.line())
        return True

    def _keep(self, member: Member) -> None:
        """One place, filled again whenever its process ends."""
        wait_s, starts = FIRST_WAIT_S, 0
        while not self._stopping.is_set():
            with self._changed:
                if self._stopping.is_set():
                    return
                process = member.spawn(self._env)
            was_ready = self._listen(member)
            code = process.wait()
            self._recover(member, code)
            hang_up(process)
            if self._stopping.is_set():
                return
            starts = 0 if was_ready else starts + 1
            wait_s = FIRST_WAIT_S if was_ready else min(wait_s * 2, LONGEST_WAIT_S)
            _log.error("process %d of the pool ended (%d); the next in %.1f s",
                       member.index, code, wait_s)  # fmt: skip
            if starts >= STARTS_TO_GIVE_UP and not self._ever_ready:
                why = member.why_not or f"exit code {code}"
                self._owner.broken(
                    f"{starts} processes ended before one was ready, the last: {why}"
                )
            self._stopping.is_set_within(wait_s)

    def _listen(self, member: Member) -> bool:
        """Read what the process publishes until it ends; True when it was ever ready."""
        for line in member.process.stdout:  # type: ignore[union-attr]
            payload = line.partition(b"\t")[2]
            if not payload.endswith(b"\n"):
                break  # it died within a line
            message = decode(payload)
            if "results" in message:
                self._done(member, message)
            elif message.get("kind") == "hello":
                self._welcome(member, message)
            elif message.get("kind") == "cannot_start":
                member.why_not = str(message["why"])
            else:
                member.trouble = str(message.get("trouble") or "")
        return member.ready

    def _welcome(self, member: Member, message: Record) -> None:
        with self._changed:
            member.ready = True
            for each in message.get("accelerators") or []:
                if each not in self.accelerators:
                    self.accelerators.append(each)
            first, self._ever_ready = not self._ever_ready, True
            self._settle()
        if first:
            self._owner.ready(message.get("model") or {})

    def _done(self, member: Member, message: Record) -> None:
        results: list[Any] = message["results"]
        with self._changed:
            key = _key(message["batch"], results)
            job = member.jobs.pop(key, None) or Job(message["batch"], 1, [])
            # Large results come in several messages: the process still holds what follows.
            if rest := job.items[len(results) :]:
                left = Job(job.batch, job.attempt, rest, job.deaths, job.alone, job.volume)
                member.jobs[_key(job.batch, rest)] = left
        self._owner.done(job, results)
        with self._changed:
            self._settle()

    def _recover(self, member: Member, code: int) -> None:
        needed = ends_needed(signal_of(code))
        failed: list[Job] = []
        with self._changed:
            member.ready, member.trouble = False, ""
            jobs, member.jobs = list(member.jobs.values()), {}
            for job in jobs:
                if job.alone and job.deaths + 1 >= needed:
                    failed.append(job)
                else:
                    self._suspects += job.suspects()
            self._settle()
        for job in failed:
            detail = f"{job.deaths + 1} processes of the pool ended with this image in hand"
            self._owner.done(job, [result_failed(i, "killed_workers", detail) for i in job.items])

    def _settle(self) -> None:
        """After any change: suspects first, they have waited longest."""
        self._suspects = [job for job in self._suspects if not self._give(job)]
        self._changed.notify_all()


def _key(batch: str, items: list[Record]) -> str:
    first = items[0] if items else {}
    return f"{batch} {first.get('stream')} {first.get('seq')}"
