"""Which of a site's health reports become metrics (docs/spec/messages.md, Health)."""

from __future__ import annotations

from infra.planning.cloud import Monitor

#: Field of a report → name of its metric.
METRICS = {
    "results": "Results",
    "failed": "FailedRecords",
    "dropped": "DroppedRecords",
    "lost_before_cloud": "LostBeforeCloud",
    "accepted": "AcceptedImages",
    "rejected": "RejectedMessages",
    "backlog": "BacklogImages",
    "worker_restarts": "WorkerRestarts",
    "workers_ready": "WorkersReady",
}
REPORTING_PARTS = 2  # splitter and aggregator


def alarm_count(monitor: Monitor) -> int:
    """Those that are asked for, and the one for lost results, which every site has."""
    asked = (
        monitor.no_results_min,
        monitor.failed_records,
        monitor.backlog_percent,
        monitor.worker_restarts,
    )
    return sum(threshold is not None for threshold in asked) + 1
