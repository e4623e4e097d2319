"""Reaching a site's cloud: the development cloud where one runs, else what boto3 finds.

Every refusal of the other side becomes one sentence with its remedy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from devcloud import DevCloud
from fanfold.cloud.development import running_cloud
from fanfold.common.errors import MISSING, REFUSED, UserError

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
START = "fanfold devcloud start --bootstrap"

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId",
            "SignatureDoesNotMatch", "AuthFailure")  # fmt: skip
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")

# boto3 makes clients from one session, which is not for several threads; clients are.
_making = threading.Lock()


@dataclass(frozen=True)
class Access:
    """Clients for one region of one cloud; made when first needed."""

    region: str
    cloud: DevCloud | None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def where(self) -> str:
        return f"the development cloud ({self.cloud.url})" if self.cloud else "AWS"

    def client(self, service: str) -> Any:
        with _making:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        retries = {"max_attempts": 2, "mode": "standard"}
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries=retries
        )
        if self.cloud is None:
            return boto3.client(service, region_name=self.region, config=config)
        return self.cloud.client(service, self.region)


def reach(region: str, *, aws: bool) -> Access:
    """Where a site of this region is deployed."""
    return Access(region, None if aws else running_cloud())


@contextmanager
def explained(access: Access, subject: str, again: str = "") -> Iterator[None]:
    """What botocore raises becomes a UserError about `subject`.

    `again` says how to finish what was begun; nothing was done yet where it is empty.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        words, code = _words(access, error)
        raise UserError(f"{subject}: {words}{' ' + again if again else ''}", code) from error


def _words(access: Access, error: Exception) -> tuple[str, int]:
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
    )

    match error:
        case ClientError():
            return _refusal(access, error), REFUSED
        case NoCredentialsError() | PartialCredentialsError() | ProfileNotFound():
            return (
                f"no AWS credentials are found ({error}), and no development cloud runs here. "
                f"Set AWS_PROFILE (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or: {START}",
                MISSING,
            )
        case SSOError() | TokenRetrievalError():
            return f"the AWS sign-in has expired: {error}. Run `aws sso login`.", MISSING
        case ConnectionError() | HTTPClientError():
            return f"{access.where} cannot be reached: {error}. {_unreachable(access)}", MISSING
    return str(error), MISSING


def _refusal(access: Access, error: Any) -> str:
    detail = error.response.get("Error", {})
    code, said = str(detail.get("Code", "")), str(detail.get("Message", error)).strip()
    if code in _EXPIRED:
        return f"the AWS credentials have expired ({code}). Sign in again (`aws sso login`)."
    if code in _UNKNOWN:
        return (
            f"AWS does not accept these credentials ({code}: {said}). Check AWS_PROFILE and the "
            "AWS_* variables of this shell."
        )
    if code in _DENIED:
        return f"not allowed ({code}: {said}). Ask for permission for {error.operation_name}."
    return f"{access.where} refuses {error.operation_name}: {code}: {said}"


def _unreachable(access: Access) -> str:
    if access.cloud:
        return f"Start it again: {START}"
    return (
        f"Check the region ({access.region}), the network, and AWS_ENDPOINT_URL. AWS ended "
        f"Greengrass V1 on 2026-10-07: use an endpoint that still serves it, or {START}"
    )
