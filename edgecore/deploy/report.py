"""How a deployment ended, reported to the cloud it came from.

AWS's core did this by a private call (IAM calls it `UpdateCoreDeploymentStatus`) that was
never published and is gone. Endpoints of our own take it at ``REPORT_PATH``
(docs/spec/uplink.md); one that answers 404 is not asked again.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import urllib.error
import urllib.request
from typing import Any

log = logging.getLogger(__name__)

REPORT_PATH = "/moto-api/devcloud/cores"
TIMEOUT_S = 5.0
FOLLOWS_FACTOR, FOLLOWS_MARGIN_S = 3.0, 10.0
"""A core that has not asked for three polls and this is taken for gone."""


class Reporter:
    """Keeps what could not be reported yet; ``deliver`` is called with every poll."""

    def __init__(self, endpoint_url: str | None, region: str, poll_s: float) -> None:
        self._url = endpoint_url and f"{endpoint_url.rstrip('/')}{REPORT_PATH}?region={region}"
        self._follows_s = FOLLOWS_FACTOR * poll_s + FOLLOWS_MARGIN_S
        self._outcomes: dict[str, dict[str, str]] = {}

    def __call__(self, deployment_id: str, status: str, reason: str = "") -> None:
        """``status``: ``Success`` or ``Failure``."""
        self._outcomes[deployment_id] = {"status": status, "error": reason}

    async def deliver(self, group_id: str, *, leaving: bool = False) -> None:
        """Report that this core follows the group, and the outcome of its deployments.

        Never raises: an endpoint that is away hears it next time.
        """
        if self._url is None:
            return
        reported = dict(self._outcomes)
        follows_s = 0.0 if leaving else self._follows_s
        body = {"group": group_id, "follows_s": follows_s, "deployments": reported}
        try:
            await asyncio.to_thread(_post, self._url, body)
        except urllib.error.HTTPError as error:
            log.info("the endpoint does not accept deployment reports (%d)", error.code)
            self._url = None
        except OSError as error:
            log.debug("report not delivered: %s", error)
            return
        for deployment_id, outcome in reported.items():
            if self._outcomes.get(deployment_id) == outcome:
                del self._outcomes[deployment_id]


@functools.cache
def _session() -> Any:
    from botocore.session import get_session

    return get_session()


def _post(url: str, body: dict[str, Any]) -> None:
    """Signed with the credentials that boto3 finds: the development cloud asks for no less."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    data = json.dumps(body).encode()
    signed = AWSRequest("POST", url, {"Content-Type": "application/json"}, data=data)
    if credentials := _session().get_credentials():
        SigV4Auth(credentials, "greengrass", "us-east-1").add_auth(signed)
    request = urllib.request.Request(  # noqa: S310 - the operator's own endpoint
        url, data=data, headers=dict(signed.headers)
    )
    urllib.request.urlopen(request, timeout=TIMEOUT_S).close()  # noqa: S310
