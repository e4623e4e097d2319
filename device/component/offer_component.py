"""What the Runtime and the Model component run: tell the Core where their files lie.

One file, standard library alone: it travels with each version of a component. The Core's work
folder is beside this component's own (both nuclei: `work/COMPONENT`, the working directory).
Docs: docs/spec/components.md.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

FORMAT = 1
LOOK_EVERY_S = 0.1
FOLDER_WAIT_S = 120.0
STAND_BACK_S = 5.0
"""A `run` whose offer was replaced is mostly that of the version on its way out, which nuclei end
within this time."""


def main() -> int:
    """Exit code 0: offered, and (model) proved; 1: the core refuses it; 2: no verdict in time."""
    parser = argparse.ArgumentParser("offer_component")
    parser.add_argument("kind", choices=["runtime", "model"])
    parser.add_argument("--core", required=True, help="name of the Core component")
    parser.add_argument("--path", required=True, type=Path)
    parser.add_argument("--wait-s", type=float, default=0.0)
    parser.add_argument("--before-run", action="store_true", help="no core here yet: exit 0")
    given = parser.parse_args()
    if not given.path.exists():
        log(f"{given.path}: no such file; deploy the component again")
        return 2
    work, began = Path.cwd().parent / given.core, time.monotonic()
    offers = offers_of(work, 0.0 if given.before_run else FOLDER_WAIT_S)
    if offers is None:
        if given.before_run:
            log(f"{given.core} is not here yet: offered when this component runs")
            return 0
        log(f"{work}: is not there after {FOLDER_WAIT_S:g} s, or not this user's; deploy the Core")
        return 2
    offer = {
        "v": FORMAT, "path": str(given.path), "nonce": f"{time.time_ns()}-{os.getpid()}",
    }  # fmt: skip
    try:
        write(offers / f"{given.kind}.json", offer)
    except OSError as error:
        log(f"{offers}: cannot be written ({error.strerror}); free space or give it to this user")
        return 2
    log(f"{given.kind} offered to {given.core}: {given.path}")
    if given.kind == "runtime" or (given.before_run and not is_alive(work)):
        return 0
    left_s = given.wait_s - (time.monotonic() - began)
    return verdict(offers, offer, left_s, 0.0 if given.before_run else STAND_BACK_S)


def offers_of(work: Path, wait_s: float) -> Path | None:
    """In the Core's work folder. Where only the nucleus may make that, it does when it starts the
    Core: None, if it has not within the time."""
    deadline = time.monotonic() + wait_s
    offers = work / "offers"
    while True:
        try:
            offers.mkdir(mode=0o755, parents=True, exist_ok=True)
        except PermissionError:
            if time.monotonic() >= deadline:
                return None
            time.sleep(LOOK_EVERY_S)
        else:
            return offers


def verdict(offers: Path, offer: dict[str, Any], wait_s: float, stand_back_s: float) -> int:
    """The core's answer to this very model offer.

    Another's may have taken its place: a nucleus that starts with a deployment installs the new
    model while the old one's `run` comes up. Once that one is answered, ours is offered again,
    after `stand_back_s`.
    """
    deadline, again_at = time.monotonic() + wait_s, None
    while True:
        answer, now = answer_to(offers, offer["nonce"]), time.monotonic()
        if answer:
            log(f"{answer['verdict']}: {answer.get('reason') or 'it answers its images'}")
            return 0 if answer["verdict"] == "proved" else 1
        if now > deadline:
            log(f"the core gave no verdict in {wait_s:.0f} s; see its log")
            return 2
        offered = read(offers / "model.json").get("nonce")
        if offered == offer["nonce"] or not (offered and answer_to(offers, str(offered))):
            again_at = None
        elif again_at is None:
            again_at = now + stand_back_s
        elif now >= again_at:
            again_at = None
            with contextlib.suppress(OSError):  # a full disk: tried again
                write(offers / "model.json", offer)
                log("model offered again: another took its place")
        time.sleep(LOOK_EVERY_S)


def answer_to(offers: Path, nonce: str) -> dict[str, Any]:
    """Empty: none yet. On a full disk it is a file's name."""
    answer = read(offers / "verdict.json")
    if answer.get("nonce") == nonce:
        return answer
    for each in ("proved", "refused"):
        if (offers / f"{each}-{nonce}").exists():
            return {"verdict": each, "reason": "see the core's log; its disk is full"}
    return {}


def is_alive(work: Path) -> bool:
    """Whether the Core's launcher runs: it holds a lock as long as it lives."""
    try:
        with (work / "alive").open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Whole under its name, also after a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8") as out:
        json.dump(content, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def log(words: str) -> None:
    with contextlib.suppress(OSError):  # a full disk takes no log, which is no reason to end
        sys.stdout.write(words + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
