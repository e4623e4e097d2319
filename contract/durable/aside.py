"""Database files that are set aside under a name with a time, the newest of them kept."""

from __future__ import annotations

import os
import time

#: Files set aside that are kept; without a bound a failing disk would fill itself.
KEEP_CORRUPT = 3
#: Between its name and its time.
SET_ASIDE = ".corrupt-"
_FILES = ("", "-wal", "-shm")
#: Of a file that others wrote into its log is no part: it is kept, and not read through it.
_LEFT = "-wal.left"


def name_aside(path: str) -> str:
    return f"{path}{SET_ASIDE}{time.time_ns()}"


def move_aside(path: str, aside: str, log_apart: bool = False) -> None:
    """`log_apart`: the log is kept where SQLite does not read the file through it."""
    for suffix in _FILES:
        if os.path.exists(path + suffix):
            os.replace(path + suffix, aside + suffix)
    if log_apart and os.path.exists(f"{aside}-wal"):
        os.replace(f"{aside}-wal", aside + _LEFT)


def forget_old(path: str) -> None:
    folder, name = os.path.split(path)
    stamps = sorted(
        {f.split(SET_ASIDE)[1].split("-")[0] for f in os.listdir(folder) if SET_ASIDE in f}
    )
    for old in stamps[:-KEEP_CORRUPT]:
        for suffix in (*_FILES, _LEFT):
            aside = os.path.join(folder, f"{name}{SET_ASIDE}{old}{suffix}")
            if os.path.exists(aside):
                os.remove(aside)
