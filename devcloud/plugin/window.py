"""What the development cloud shows of itself below `/moto-api/devcloud/`.

GET  health                           {"pid", "moto"}
GET  messages?topic=PREFIX&region=R   what was published to AWS IoT: [{"topic", "payload_b64"}]
POST deployments?region=R             {"status": "Failure", "error": "…"}: how the next ones end
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any
from urllib.parse import parse_qs, urlparse

from devcloud.plugin.greengrass_api import set_outcome
from devcloud.plugin.guard import MOTO

ACCOUNT = "123456789012"
Answer = tuple[int, dict[str, str], str]
_JSON = {"Content-Type": "application/json"}


def install() -> None:
    from moto.moto_api._internal import urls

    urls.url_paths["{0}/moto-api/devcloud/health"] = health
    urls.url_paths["{0}/moto-api/devcloud/messages"] = messages
    urls.url_paths["{0}/moto-api/devcloud/deployments"] = deployments


def health(request: Any, full_url: str, headers: Any) -> Answer:  # noqa: ARG001 (moto's signature)
    return 200, _JSON, json.dumps({"pid": os.getpid(), "moto": MOTO})


def messages(request: Any, full_url: str, headers: Any) -> Answer:  # noqa: ARG001 (moto's signature)
    from moto.iotdata.models import iotdata_backends

    query = _query(full_url)
    published = iotdata_backends[ACCOUNT][query.get("region", "us-east-1")].published_payloads
    found = [
        {"topic": topic, "payload_b64": base64.b64encode(_bytes(payload)).decode()}
        for topic, payload in published
        if topic.startswith(query.get("topic", ""))
    ]
    return 200, _JSON, json.dumps(found)


def deployments(request: Any, full_url: str, headers: Any) -> Answer:  # noqa: ARG001
    try:
        wanted = json.loads(request.data)
        region = _query(full_url).get("region", "us-east-1")
        set_outcome(ACCOUNT, region, wanted.get("status", ""), wanted.get("error"))
    except ValueError as error:
        return 400, _JSON, json.dumps({"error": str(error)})
    return 200, _JSON, json.dumps(wanted)


def _query(full_url: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlparse(full_url).query).items()}


def _bytes(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload
