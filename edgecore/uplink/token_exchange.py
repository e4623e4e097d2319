"""Credentials of a nucleus's token exchange service, wherever it listens just now.

It takes another port at each of its starts, and a process's environment keeps the old one: then
the nucleus is asked for the port (facts: aws.greengrass.TokenExchangeService on nucleus lite).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from edgecore.uplink.nucleus_ipc import IpcError, configuration_value

COMPONENT = "aws.greengrass.TokenExchangeService"
URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a variable's name
SOCKET, SERVICE_ID = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", "SVCUID"
TIMEOUT_S = 5.0
_NEEDED = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}


def token_exchange(environment: Mapping[str, str] = os.environ) -> TokenExchange | None:
    """None where no nucleus started this process."""
    if not environment.get(SOCKET) or not environment.get(URI):
        return None
    return TokenExchange(
        uri=environment[URI],
        token=environment.get(TOKEN) or environment.get(SERVICE_ID, ""),
        socket=Path(environment[SOCKET]),
        service_id=environment.get(SERVICE_ID) or environment.get(TOKEN, ""),
    )


class TokenExchange:
    """``get`` for functions, ``session`` for boto3; both ask again before the end of a life."""

    def __init__(self, *, uri: str, token: str, socket: Path, service_id: str) -> None:
        self._uri, self._token = uri, token
        self._socket, self._service_id = socket, service_id

    async def get(self) -> Mapping[str, Any]:
        """As boto3 reads them from a container's endpoint. Raises LookupError."""
        return await asyncio.to_thread(self.fetch)

    def fetch(self) -> dict[str, Any]:
        """Blocking. Raises LookupError with the reason."""
        try:
            return self._ask()
        except OSError:
            self._find()
        try:
            return self._ask()
        except OSError as error:
            raise LookupError(f"{self._uri}: no credentials ({error}); see the token exchange "
                "service's log, and the nucleus's role alias") from error  # fmt: skip

    def session(self) -> Any:
        """A boto3 session with these credentials, refreshed by botocore."""
        import boto3
        from botocore.credentials import RefreshableCredentials
        from botocore.session import get_session

        plain = get_session()
        plain._credentials = RefreshableCredentials.create_from_metadata(
            metadata=self._metadata(), refresh_using=self._metadata, method="greengrass-v2"
        )
        return boto3.Session(botocore_session=plain)

    def _metadata(self) -> dict[str, str]:
        from botocore.exceptions import CredentialRetrievalError

        try:
            found = self.fetch()
        except LookupError as error:
            raise CredentialRetrievalError(
                provider="greengrass-v2", error_msg=str(error)
            ) from error
        return {
            "access_key": found["AccessKeyId"], "secret_key": found["SecretAccessKey"],
            "token": found["Token"], "expiry_time": found["Expiration"],
        }  # fmt: skip

    def _ask(self) -> dict[str, Any]:
        """Raises OSError, of which urllib's errors are; also where somebody else took the port."""
        request = urllib.request.Request(self._uri, headers={"Authorization": self._token})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return _credentials(answer.read())
        except http.client.HTTPException as error:  # what listens there now speaks no HTTP
            raise OSError(f"the answer is no HTTP ({error!r})") from error

    def _find(self) -> None:
        """Raises LookupError."""
        try:
            port = int(configuration_value(self._socket, self._service_id, COMPONENT, "port"))
        except (IpcError, TypeError, ValueError) as error:
            raise LookupError(f"the port of {COMPONENT} cannot be had: {error}") from error
        parts = urlsplit(self._uri)
        self._uri = urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def _credentials(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise OSError("the answer is no JSON") from error
    if not isinstance(found, dict) or _NEEDED - set(found):
        raise OSError("the answer holds no credentials")
    return found
