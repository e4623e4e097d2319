"""Settings of a group of Fanfold's own that its migrated site would not render again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.planning import Profile, Site, plan_group

_KEYS = {
    "FANFOLD_WORKER_TIMEOUT_S": "timeouts.worker_s",
    "FANFOLD_START_TIMEOUT_S": "timeouts.start_s",
    "FANFOLD_MAX_BACKLOG": "backlog.max_images",
    "FANFOLD_BACKLOG_POLICY": "backlog.policy",
    "FANFOLD_JOURNAL_BYTES": "backlog.journal_bytes",
    "FANFOLD_DROP_FOLDER": "drop_folder",
    "FANFOLD_DROP_SUBFOLDERS": "drop_subfolders",
    "FANFOLD_DROP_WAIT_S": "drop_wait_s",
    "FANFOLD_CUSTODY": "custody.mode",
    "FANFOLD_CUSTODY_BYTES": "custody.max_bytes",
    "FANFOLD_PICTURES": "pictures",
    "FANFOLD_REGIONS": "cameras: regions",
    "FANFOLD_SOURCES": "cameras: source",
    "FANFOLD_HOOKS": "hooks",
    "FANFOLD_POOL_WORKERS": "workers",
    "FANFOLD_MAX_WAIT_S": "max_wait_s",
    "FANFOLD_MAX_HOLD": "max_hold",
    "FANFOLD_JOB_LINGER_S": "job.linger_s",
    "FANFOLD_CLOUD_BATCH_S": "cloud.batch_s",
    "FANFOLD_HEALTH_EVERY_S": "cloud.monitor.every_s",
    "FANFOLD_OUTBOX_BYTES": "cloud.outbox",
    "FANFOLD_OUTBOX_EVERY_S": "cloud.outbox.every_s",
    "FANFOLD_HISTORY": "history",
    "FANFOLD_ALERTS": "alerts",
    "FANFOLD_TRIAL": "trial",
    "FANFOLD_CANARY": "canary",
}
"""Variables whose value a site file alone decides (infra/planning/environment.py) → its key."""
_SHOWN = 200


def settings_lost(document: Mapping[str, Any], site: Site, profile: Profile) -> Iterator[str]:
    """A sentence for each value of the group that `site`, planned anew, does not have."""
    before = [f.get("FunctionConfiguration") or {} for f in document.get("Functions") or []]
    had = _merged((each.get("Environment") or {}).get("Variables") or {} for each in before)
    has = _merged(each.environment for each in plan_group(site, profile).functions)
    for name, key in _KEYS.items():
        if name in had and had[name] != has.get(name):
            now = f"the site {has[name]}" if name in has else "the site nothing"
            yield f"{key}: the group has {had[name][:_SHOWN]} ({name}), {now}; write it there"


def _merged(variables: Any) -> dict[str, str]:
    """Parts that share a setting share its value."""
    return {name: str(text) for each in variables for name, text in each.items()}
