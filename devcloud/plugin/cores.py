"""Cores that follow a group here, and how they say a deployment ended.

POST /moto-api/devcloud/cores?region=R
    {"group": ID, "follows_s": 16, "deployments": {ID: {"status": "Failure", "error": "…"}}}
GET the same answers {"follows": [ID, …]}: the groups whose core is taken for present.

While a core follows a group, a deployment of it is `InProgress` until the core has told how
it ended, as AWS does it; without one it ends at once (docs/decisions/0001).
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlparse

ACCOUNT = "123456789012"
ENDS = ("Success", "Failure")


def install() -> None:
    from moto.moto_api._internal import urls

    urls.url_paths["{0}/moto-api/devcloud/cores"] = _respond


def is_followed(backend: Any, group_id: str) -> bool:
    return _followers(backend).get(group_id, 0.0) > time.monotonic()


def _followers(backend: Any) -> dict[str, float]:
    """Group → until when its core is taken for present; kept on the backend, as moto's own."""
    if not hasattr(backend, "cores_until"):
        backend.cores_until = {}
    found: dict[str, float] = backend.cores_until
    return found


def take_report(backend: Any, report: dict[str, Any]) -> None:
    """Raises ValueError for a malformed report; deployments that are not here are ignored."""
    try:
        group, follows_s = str(report["group"]), float(report["follows_s"])
        outcomes = {
            str(each): (outcome["status"], outcome.get("error") or None)
            for each, outcome in report["deployments"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a core's report lacks {error}") from error
    if wrong := [status for status, _ in outcomes.values() if status not in ENDS]:
        raise ValueError(f"deployment status {wrong[0]!r} is none of {', '.join(ENDS)}")
    _followers(backend)[group] = time.monotonic() + follows_s
    for deployment_id, outcome in outcomes.items():
        found = backend.deployments.get(deployment_id)
        if found is not None and found.group_id == group:
            found.deployment_status, found.error = outcome


def _respond(request: Any, full_url: str, headers: Any) -> Any:  # noqa: ARG001 (moto's signature)
    from moto.greengrass.models import greengrass_backends

    as_json = {"Content-Type": "application/json"}
    region = parse_qs(urlparse(full_url).query).get("region", ["us-east-1"])[-1]
    backend = greengrass_backends[ACCOUNT][region]
    if request.method == "GET":
        present = [group for group in _followers(backend) if is_followed(backend, group)]
        return 200, as_json, json.dumps({"follows": present})
    try:
        take_report(backend, json.loads(request.data))
    except ValueError as error:
        return 400, as_json, json.dumps({"error": str(error)})
    return 200, as_json, "{}"
