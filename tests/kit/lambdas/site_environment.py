"""What the planner puts into the parts' environment: two cameras, three workers."""

from __future__ import annotations

from pathlib import Path


def environment(root: Path, **more: str) -> dict[str, str]:
    env = {
        "FANFOLD_SITE": "demo",
        "FANFOLD_IMAGES_DIR": str(root / "images"),
        "FANFOLD_STATE_DIR": str(root / "state"),
        "FANFOLD_IMAGES_TOPIC": "demo/images/",
        "FANFOLD_WORK_TOPIC": "demo/work/",
        "FANFOLD_DONE_TOPIC": "demo/done",
        "FANFOLD_ACK_TOPIC": "demo/ack",
        "FANFOLD_STATS_TOPIC": "demo/stats",
        "FANFOLD_RESULTS_TOPIC": "demo/results/",
        "FANFOLD_LATE_TOPIC": "demo/late/",
        "FANFOLD_JOBS_TOPIC": "demo/jobs",
        "FANFOLD_CLOUD_TOPIC": "fanfold/demo/results",
        "FANFOLD_CLOUD_JOBS_TOPIC": "fanfold/demo/jobs",
        "FANFOLD_CAMERAS": "cam1,cam2",
        "FANFOLD_WORKERS": "w0,w1,w2",
        "FANFOLD_DROP_FOLDER": "drop",
        "FANFOLD_WORKER_TIMEOUT_S": "5",
    }
    env.update(more)
    (root / "images").mkdir(parents=True, exist_ok=True)
    return env
