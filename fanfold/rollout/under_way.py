"""A rollout that was interrupted, found again although the sites in the folder have changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from fanfold.common.errors import INVALID, UserError
from fanfold.rollout.record import fold, key_of
from fanfold.rollout.state import NEXT, Ended, Rollout, Stand, decide


def record_path(folder: Path, model: str, asked: Sequence[str], known: Collection[str]) -> Path:
    """Of the rollout of `model` to `asked`; `known`: all sites that have a file now.

    Its name follows from model and sites. One that was interrupted goes on under the name that
    it has, where its sites are those asked for but for files that came or went since. Raises
    UserError where it has other sites: two rollouts of one model would each judge a part.
    """
    own = folder / f"{key_of(model, asked)}.jsonl"
    for path in [] if own.exists() else sorted(folder.glob("*.jsonl")):
        sites = set(_interrupted(path, model))
        if not sites & set(asked):
            continue
        if missing := sorted((sites & set(known)) - set(asked)):
            raise UserError(
                f"rollout {path.stem} of this model was interrupted and has {missing[0]} too: give "
                "its whole pattern, and it goes on; or move its record away to begin anew",
                INVALID,
            )
        return path
    return own


def _interrupted(path: Path, model: str) -> Collection[str]:
    """Sites of a rollout of this model that is neither through nor stopped; of another: none."""
    try:
        lines = path.read_bytes().splitlines()
        events = [json.loads(line) for line in lines[:1]]
        if not events or events[0].get("model") != model:
            return ()
        state = fold([*events, *_whole(lines[1:])])
    except (OSError, ValueError, KeyError, AttributeError):  # `Record` says what is wrong with it
        return ()
    return () if isinstance(decide(state), Ended) else list(state.stands)


def _whole(lines: Sequence[bytes]) -> list[dict[str, object]]:
    """The last may be torn."""
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def without_gone(state: Rollout, known: Collection[str]) -> list[str]:
    """Sites without a file any more, which can be left out. Raises UserError for one in hand."""
    gone = [site for site in state.stands if site not in known]
    current = state.waves[state.current] if state.current is not None else ()
    for site in gone:
        if site in current and Stand.LEFT_OUT not in NEXT[state.stands[site]]:
            raise UserError(
                f"{site} has no file any more and is {state.stands[site].value} in this rollout: "
                "put the file back until its wave is through",
                INVALID,
            )
    return [site for site in gone if Stand.LEFT_OUT in NEXT[state.stands[site]]]
