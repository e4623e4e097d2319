"""A status of the core in which every part has reported (docs/spec/core.md)."""

STATUS = {
    "core": {"thing": "t", "version": "1", "uptime_s": 2.0},
    "group": {"name": "g", "deployment": "d", "applied_at": 5.0},
    "doctor": {"counts": {"ok": 20, "warning": 1}},
    "functions": [
        {
            "id": "w0",
            "state": "hung",
            "restarts": 3,
            "invocations": 9,
            "errors": 1,
            "queue": 2,
            "oldest_ms": 1500,
            "rss_kb": 2,
        }
    ],
    "history": {"written": 9, "dropped_by_reason": {"disk full": 1}, "bytes": 5, "quota_bytes": 9},
    "alerts": {
        "alerts": [{"rule": "workers", "state": "on"}],
        "channels": [{"name": "mail", "sent": 1, "failures": 2, "dropped": 0, "waiting": 1}],
    },
    "disks": [{"use": "state", "path": "/srv", "free_bytes": 5, "size_bytes": 10}],
    "certificates": [{"name": "t", "expires_in_s": 86400.0}],
    "router": {"work_items": 1, "limit": 1024, "delivered": 5, "refused": 0, "unrouted": 0},
    "mqtt": {"clients": []},
    "cloud": {"spooled": 1, "spooled_bytes": 2, "sent": 3, "dropped": 0, "last_sync": 4.0},
    "stats": {
        "splitter": {
            "accepted": 7,
            "rejected": {"busy": 2},
            "duplicates": 0,
            "backlog": 1,
            "inflight": 1,
            "redispatched": 0,
            "workers": {
                "w0": {"state": "ready", "credits": 2, "inflight": 1, "done": 5, "busy_ms": 250}
            },
        },
        "aggregator": {
            "emitted": 5,
            "duplicates": 0,
            "gaps": 1,
            "late": 0,
            "failed": 0,
            "dropped": {"operator": 1},
            "reorder_buffer": {"cam1": 2, "cam2": 3},
            "outbox_rows": 1,
            "outbox_bytes": 9,
            "outbox_dropped": 0,
            "cloud_batches": 1,
            "s3_objects": 1,
        },
        "grabber": {
            "cameras": {
                "cam1": {
                    "source": "rtsp://10.0.0.7/stream1",
                    "state": "away",
                    "error": "connection refused. Is the camera on, and is the port right?",
                    "fps": 5.0,
                    "fps_in": 24.9,
                    "read": 1500,
                    "frame_age_s": 12.5,
                    "picture": [1920, 1080],
                    "accepted": 300,
                    "dropped": 4,
                    "rejected": {"too_large": 1},
                    "unanswered": 0,
                    "stalls": 2,
                    "reconnects": 3,
                },
            },
        },
    },
}
