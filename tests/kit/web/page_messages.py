"""Messages and records as the monitor of a page gets them."""

from __future__ import annotations

from typing import Any

from dashboard_replay import MODEL

T = 1_790_000_000.0


def record(seq: int = 1, **changes: Any) -> dict[str, Any]:
    common = {"stream": "cam1", "seq": seq, "id": f"i{seq}", "status": "ok", "file": "a.jpg"}
    return common | {"worker": "w0", "model": MODEL, "t_in": T, "ms": {}} | changes


def status(**worker: Any) -> dict[str, Any]:
    w0 = {"state": "ready", "inflight": 0, "credits": 2, "done": 5, "model": MODEL} | worker
    functions = [{"id": "w0", "gpu_id": "1", "state": "running", "restarts": 2, "rss_kb": 300}]
    return {"functions": functions, "stats": {"splitter": {"t": T, "workers": {"w0": w0}}}}
