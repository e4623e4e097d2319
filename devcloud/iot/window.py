"""What the data plane shows of itself, and its settings and faults (`/moto-api/devcloud/iot`).

GET                                   address, CA, connections, settings
POST {"settings": {…}}                change some (devcloud/iot/settings.py)
POST {"cut": "CLIENT ID" | "*"}       break connections off, without a word
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from devcloud.iot.cloud import IotCloud

ADDRESS = "/moto-api/devcloud/iot"
_JSON = {"Content-Type": "application/json"}
_TIMEOUT_S = 10.0


def install(cloud: IotCloud) -> None:
    from moto.moto_api._internal import urls

    def respond(request: Any, full_url: str, headers: Any) -> Any:  # noqa: ARG001 (moto's)
        try:
            wanted = json.loads(request.data) if request.method == "POST" else {}
            return 200, _JSON, json.dumps(_in_loop(cloud, wanted))
        except (ValueError, AttributeError) as error:
            return 400, _JSON, json.dumps({"error": str(error)})

    urls.url_paths["{0}" + ADDRESS] = respond


def _in_loop(cloud: IotCloud, wanted: dict[str, Any]) -> dict[str, Any]:
    async def act() -> dict[str, Any]:
        if "settings" in wanted:
            cloud.set(cloud.broker.settings.changed(wanted["settings"]))
        cut = wanted.get("cut")
        ended = cloud.broker.cut(None if cut == "*" else cut) if cut else 0
        return {**_shown(cloud), "cut": ended}

    return asyncio.run_coroutine_threadsafe(act(), cloud.loop).result(_TIMEOUT_S)


def _shown(cloud: IotCloud) -> dict[str, Any]:
    return {
        "endpoint": f"localhost:{cloud.port}",
        "ca_file": str(cloud.authority.ca_file),
        "settings": cloud.broker.settings.as_json(),
        "connections": [
            {
                "client_id": each.client_id,
                "certificate": each.peer.certificate_id,
                "version": "5" if each.version == 5 else "3.1.1",
                "subscriptions": sorted(each.session.subscriptions) if each.session else [],
                "throttled": each.throttle.lost,
            }
            for each in cloud.broker.connections()
        ],
    }
