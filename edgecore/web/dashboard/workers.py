"""One card per worker, from the splitter's stats, heartbeats, and the function itself."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from contract.status import Status
from edgecore.core import stats

RATE_WINDOW_S = 10.0
MAX_WORKERS = 256
_IDLE: dict[str, Any] = {}
_ITEMS = b'"items"'


class WorkerBoard:
    """What each worker does now: its batch and first image, its rate over the last 10 s."""

    def __init__(self) -> None:
        self._batches: dict[str, bytes | dict[str, Any]] = {}
        self._heartbeats: dict[str, Mapping[str, Any]] = {}
        self._finished: dict[str, deque[tuple[float, int]]] = {}
        self._models: dict[str, Mapping[str, Any]] = {}

    def dispatched(self, worker: str, work: bytes) -> None:
        """A work message; it is read when somebody looks, and most are replaced before."""
        known = worker in self._batches or len(self._batches) < MAX_WORKERS
        if known and _ITEMS in work:  # a probe has none
            self._batches[worker] = work

    def heartbeat(self, heartbeat: Mapping[str, Any]) -> None:
        worker = str(heartbeat.get("worker"))
        if worker in self._heartbeats or len(self._heartbeats) < MAX_WORKERS:
            self._heartbeats[worker] = heartbeat

    def finished(self, worker: str, t: float, model: object = None, images: int = 1) -> None:
        times = self._finished.get(worker)
        if times is None:
            if len(self._finished) >= MAX_WORKERS:
                return
            times = self._finished[worker] = deque(maxlen=20_000)
        _forget(times, t)  # here too: nobody may look for a week
        times.append((t, images))
        self._models[worker] = stats.mapping(model)

    def cards(self, status: Status, now: float) -> list[dict[str, Any]]:
        """Whom the splitter feeds, and functions on a GPU or CPU slot that others feed, by name."""
        reported = stats.workers(status)
        functions = {str(f.get("id")): f for f in status.get("functions", [])}
        slots = {name for name, f in functions.items() if f.get("gpu_id") is not None}
        return [
            self._card(name, reported.get(name, _IDLE), functions.get(name, _IDLE), now)
            for name in sorted({*reported, *slots}, key=_by_number)[:MAX_WORKERS]
        ]

    def _card(
        self, name: str, reported: Mapping[str, Any], function: Mapping[str, Any], now: float
    ) -> dict[str, Any]:
        heartbeat = self._heartbeats.get(name, _IDLE)
        inflight = reported.get("inflight", 0)
        batch = self._batch(name) if inflight else _IDLE
        gpu = str(function.get("gpu_id", "-1") or "-1")
        model_of = reported.get("model") or heartbeat.get("model") or self._models.get(name)
        model = stats.mapping(model_of)
        return {
            "id": name,
            "function": function.get("id"),
            "device": "CPU" if gpu.startswith("-") else f"GPU {gpu}",
            "card": "; ".join(_card_of(each) for each in function.get("accelerators") or []),
            "state": reported.get("state") or function.get("state", "unknown"),
            "process": function.get("state", "unknown"),
            "drained": stats.is_drained(reported),
            "model": stats.model_name(model),
            "model_sha256": str(model.get("sha256", ""))[:12],
            "restarts": function.get("restarts", 0),
            "rss_kb": function.get("rss_kb"),
            "pid": function.get("pid"),
            "last_error": function.get("last_error"),
            "credits": reported.get("credits"),
            "inflight": inflight,
            "busy_ms": heartbeat.get("busy_ms", reported.get("busy_ms", 0)),
            "done": reported.get("done", heartbeat.get("done", 0)),
            "batch": batch,
            "per_s": self._rate(name, now),
        }

    def _batch(self, worker: str) -> dict[str, Any]:
        batch = self._batches.get(worker, _IDLE)
        if isinstance(batch, bytes):
            batch = self._batches[worker] = _read(batch)
        return batch

    def _rate(self, name: str, now: float) -> float:
        times = self._finished.get(name)
        if not times:
            return 0.0
        _forget(times, now)
        return round(sum(images for _, images in times) / RATE_WINDOW_S, 1)


def _forget(times: deque[tuple[float, int]], now: float) -> None:
    """What is older than the rate's window, or was before a clock that was set back."""
    while times and abs(now - times[0][0]) > RATE_WINDOW_S:
        times.popleft()


def _read(work: bytes) -> dict[str, Any]:
    """What a card says of a batch; nothing of one that is not what its topic promises."""
    try:
        found = json.loads(work)
        items = found["items"]
        image = f"{items[0].get('stream')} #{items[0].get('seq')}"
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}
    return {"batch": found.get("batch"), "images": len(items), "image": image}


def _card_of(accelerator: Mapping[str, Any]) -> str:
    """`1: NVIDIA T4, GPU-5e9f…, 0000:3b:00.0`."""
    told = [accelerator.get(key) for key in ("name", "uuid", "pci")]
    text = f"{accelerator.get('gpu_id')}: {', '.join(str(each) for each in told if each)}"
    return text + (" (not verified)" if accelerator.get("verified") is False else "")


def _by_number(name: str) -> tuple[str, int, str]:
    """``w2`` before ``w10``."""
    head = name.rstrip("0123456789")
    tail = name[len(head) :][:18]
    return head, int(tail or 0), name
