"""A status of a site that is well, and changes to it."""

from __future__ import annotations

import copy
from typing import Any

DAY_S = 86_400.0
MODEL = {"name": "lite0", "version": "1.0.0"}


def worker(state: str = "ready", **more: Any) -> dict[str, Any]:
    return {"state": state, "model": MODEL, **more}


def function(name: str, state: str = "running", **more: Any) -> dict[str, Any]:
    gpu = {"gpu_id": "-1"} if name.startswith("w") else {}
    return {"id": name, "pinned": True, "state": state, **gpu, **more}


WELL: dict[str, Any] = {
    "core": {"thing": "hall-core", "uptime_s": 3600.0},
    "group": {"name": "hall", "deployment": "d1", "running": True, "refused": None, "history": []},
    "functions": [function(name) for name in ("splitter", "aggregator", "w0", "w1")],
    "router": {"work_items": 3, "limit": 1024},
    "mqtt": {"clients": [{"client_id": "hall-left"}], "too_large": {}, "refused_clients": []},
    "cloud": {"sink": "local", "spooled": 0, "spooled_bytes": 0, "quota_bytes": 1000},
    "stats": {
        "splitter": {
            "backlog": 0,
            "max_backlog": 100,
            "inflight": 0,
            "aggregator": "ready",
            "images_volume": {"state": "ready"},
            "disk": {"state": "ready"},
            "workers": {"w0": worker(), "w1": worker()},
        },
        "aggregator": {"answered": 500, "failed": 0, "disk": {"state": "ready"}},
    },
    "silence_s": {
        "stats": {"splitter": 0.5, "aggregator": 0.5},
        "heartbeats": {"w0": 0.4, "w1": 0.4},
    },
    "recent": {
        "window_s": 60.0,
        "answered": 100,
        "failed": 0,
        "model_errors": 0,
        "dropped": 0,
        "cloud_lost": 0,
        "unanswered_s": 0.0,
        "refused_images": [],
    },
    "disks": [{"use": "state, images", "path": "/s", "free_bytes": 1 << 40, "size_bytes": 1 << 41}],
    "certificates": [{"name": "hall-core", "expires_in_s": 300 * DAY_S}],
}


def status_with(**changes: Any) -> dict[str, Any]:
    """`stats__splitter={"backlog": 3}` goes into that part; `functions=[…]` and `stats={}` take
    its place."""
    made = copy.deepcopy(WELL)
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = made
        for folder in folders:
            place = place.setdefault(folder, {})
        if value and isinstance(value, dict) and isinstance(place.get(last), dict):
            place[last].update(value)
        else:
            place[last] = value
    return made
