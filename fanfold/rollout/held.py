"""Sites that a rollout has in hand: no other one on this machine may tell them something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgecore.disk.one_holder import hold
from fanfold.common.errors import FAILED, UserError


@contextmanager
def held(sites: Iterable[str], folder: Path) -> Iterator[None]:
    """While the block runs. Raises UserError: another rollout holds one of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        for site in sorted(sites):
            said = (
                f"{site} is in another rollout that is under way; wait for it, or stop it "
                "(ctrl-C, the same command goes on later)"
            )
            lock = locks.enter_context((folder / f"{site}.lock").open("w"))
            hold(lock, UserError(said, FAILED))
        yield
