"""Sites that a rollout has in hand: no other one on this machine may tell them something else."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fanfold.common.errors import FAILED, UserError


@contextmanager
def held(sites: Iterable[str], folder: Path) -> Iterator[None]:
    """While the block runs. Raises UserError: another rollout holds one of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        for site in sorted(sites):
            lock = locks.enter_context((folder / f"{site}.lock").open("w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{site} is in another rollout that is under way; wait for it, or stop it "
                    "(ctrl-C, the same command goes on later)",
                    FAILED,
                ) from None
        yield
