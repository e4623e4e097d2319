"""From a message with ordered results to rows of the history. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from contract.volumes import INBOX
from edgecore.core.stats import mapping, model_name, number
from edgecore.history.text import bounded

STATUSES = ("ok", "failed", "dropped")
_INBOX = f"{INBOX}/"
_ANOMALY = frozenset(("anomalous",))
MOST = 1e9
"""Numbers beyond it are cut: SQLite's own have 64 bits."""
MAX_LABELS = 32
"""Different labels of one image that are kept, the best first."""


class Found(NamedTuple):
    """One label of an image: its best score and how often it is there."""

    label: str
    score: float
    count: int  # type: ignore[assignment]


class Row(NamedTuple):  # as a frozen dataclass it costs four times as much to make
    """``t``: epoch seconds at which the core saw the result; ``ms``: from acceptance to it."""

    t: float
    camera: str
    seq: int
    status: str
    id: str
    name: str
    folder: str
    job: str
    worker: str
    model: str
    reason: str
    detail: str
    ms: float | None
    labels: tuple[Found, ...]
    defect: bool

    @property
    def key(self) -> tuple[str, int, str]:
        return self.camera, self.seq, self.id


def rows_of(payload: bytes, t: float, defects: frozenset[str]) -> list[Row]:
    """Rows of one message, gaps are none of them. Raises whatever it is not."""
    message = json.loads(payload)
    stream = bounded(message.get("stream", ""))
    found = [r for r in message["results"] if r.get("status") in STATUSES]
    models = _Models()
    return [
        _row(r if "stream" in r else {"stream": stream, **r}, t, defects, models) for r in found
    ]


class _Models:
    """Names of models: the images of one message mostly have the same."""

    def __init__(self) -> None:
        self._last: object = None
        self._name = ""

    def name(self, model: object) -> str:
        if model != self._last:
            self._last, self._name = model, bounded(model_name(model))
        return self._name


def _row(record: Mapping[str, Any], t: float, defects: frozenset[str], models: _Models) -> Row:
    # Most of an image's record is not there: what is absent is not asked about any further.
    get = record.get
    if not 0 <= (seq := int(record["seq"])) < 1 << 62:
        raise ValueError(f"seq {seq}")
    folder, name = place_of(record)
    output, job, reason, detail = get("output"), get("job"), get("reason"), get("detail")
    labels = labels_of(mapping(output)) if output else ()
    taken = number(get("t_in"))
    status = record["status"]
    return Row(
        t,
        bounded(record["stream"]),
        seq,
        status,
        bounded(get("id")),
        name,
        folder,
        bounded(job) if job else "",
        bounded(get("worker")),
        models.name(get("model")),
        bounded(reason) if reason else "",
        bounded(detail) if detail else "",
        None if taken is None else min(max(0.0, (t - taken) * 1000), MOST),
        labels,
        bool(labels) and status == "ok" and _has_defect(labels, defects),
    )


def place_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """Folder and name as the sender knows them; an image that came without a file has its id."""
    given, file = record.get("name"), bounded(record.get("file"))
    given = bounded(given) if given else ""
    if file.startswith(_INBOX):
        file = ""
    folder, _, name = file.rpartition("/")
    return folder, given or name or bounded(record.get("id"))


def _has_defect(labels: tuple[Found, ...], defects: frozenset[str]) -> bool:
    wanted = defects or _ANOMALY
    return any(found.label in wanted for found in labels)


def labels_of(output: Mapping[str, Any]) -> tuple[Found, ...]:
    """What the model says is there: the best class, each label of its boxes, or the verdict."""
    if isinstance(output.get("anomalous"), bool):
        verdict = "anomalous" if output["anomalous"] else "normal"
        return (Found(verdict, _score(output, "score"), 1),)
    top = output.get("top")
    if isinstance(top, list) and top:
        best = mapping(top[0])
        return (Found(bounded(best.get("label")), _score(best, "score"), 1),)
    boxes, classes = output.get("boxes"), output.get("classes")
    answers = boxes if isinstance(boxes, list) else classes if isinstance(classes, list) else []
    return tuple(_by_label(answers, "score" if isinstance(boxes, list) else "share"))


def _by_label(answers: list[Any], scored: str) -> list[Found]:
    best: dict[str, Found] = {}
    for answer in map(mapping, answers):
        label, score = bounded(answer.get("label")), _score(answer, scored)
        seen = best.get(label)
        if seen is None:
            best[label] = Found(label, score, 1)
        else:
            best[label] = Found(label, max(score, seen.score), seen.count + 1)
    return sorted(best.values(), key=lambda f: -f.score)[:MAX_LABELS]


def _score(answer: Mapping[str, Any], key: str) -> float:
    value = number(answer.get(key))
    return 0.0 if value is None else min(max(value, -MOST), MOST)
