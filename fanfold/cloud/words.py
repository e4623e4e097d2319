"""Changes of a group in an operator's words: `workers 2 → 4, GPU 0,1 → 0..3; restarts all`."""

from __future__ import annotations

from collections.abc import Sequence

from infra.planning import Change

HEADLINES = ("strategy", "workers", "transforms", "GPU", "cameras", "model")
RESTARTS = "restarts all functions"
_ARCHIVES = (".tar.gz", ".tgz", ".zip")


def sentence(
    site: str,
    changes: Sequence[Change],
    *,
    deployed: bool,
    effect: str = RESTARTS,
    made_again: bool = False,
) -> str:
    """One line that says what a deployment changes and does.

    `made_again`: the newest deployment has failed, and an unchanged one is another attempt.
    """
    if not changes and made_again:
        return f"{site}: no change, but its job failed; a deployment makes it again"
    if not changes:
        return f"{site}: no change; a deployment does nothing"
    first = [each for name in HEADLINES for each in changes if each.subject == name]
    if not deployed:
        what = "; ".join(f"{each.subject} {_value(each.subject, each.after, '')}" for each in first)
        return f"{site}: not deployed yet; a deployment starts it with {what}"
    said = [headline(each) for each in first]
    if count := len(changes) - len(first):
        said.append(f"{count} {'other ' if said else ''}{'change' if count == 1 else 'changes'}")
    return f"{site}: {'; '.join([*said, effect])}"


def headline(change: Change) -> str:
    before = _value(change.subject, change.before, change.after)
    after = _value(change.subject, change.after, change.before)
    return f"{change.subject} {before} → {after}"


def detail_lines(changes: Sequence[Change]) -> list[str]:
    """What the sentence does not name."""
    return [str(change) for change in changes if change.subject not in HEADLINES]


def _value(subject: str, value: str, other: str) -> str:
    if subject == "GPU":
        return ranges(value)
    if subject == "model":
        short, beside = short_model(value), short_model(other)
        return value if short == beside else short
    return value


def short_model(uri: str) -> str:
    """`s3://b/models/lite0/1.0.0-78.tar.gz` as `lite0 1.0.0-78`."""
    if "/" not in uri:
        return uri
    *folders, name = uri.removeprefix("s3://").split("/")
    for ending in _ARCHIVES:
        name = name.removesuffix(ending)
    return f"{folders[-1]} {name}" if len(folders) > 1 else name


def ranges(numbers: str) -> str:
    """`0,1,2,3,7` as `0..3,7`; two in a row stay two."""
    if not numbers.replace(",", "").isdigit():
        return numbers
    runs: list[list[int]] = []
    for number in map(int, numbers.split(",")):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(
        f"{run[0]}..{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs
    )
