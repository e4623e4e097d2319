"""boto3 clients made when first needed; their errors in the operator's words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

from edgecore.sources.errors import MISSING, REFUSED, SourceError

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_SERVER_FAULT = 500
_BUSY = ("Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown")


class AwsClients:
    """The APIs a source may call: greengrass, lambda, iot, s3, sagemaker."""

    def __init__(self, *, endpoint_url: str | None = None, region: str | None = None) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._clients: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Any:
        """Credentials are looked for anew: a core polls for months, and they change."""
        import boto3
        from botocore.session import get_session

        session = get_session()
        loader = _descriptions(session.get_config_variable("data_path"))
        session.register_component("data_loader", loader)
        region = self.region or os.environ.get("AWS_REGION")
        return boto3.session.Session(botocore_session=session, region_name=region)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            from botocore.config import Config

            config = Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=_READ_TIMEOUT_S,
                retries={"max_attempts": 4, "mode": "standard"},
                # Virtual-host style needs a name per bucket, which a local endpoint lacks.
                s3={"addressing_style": "path"} if self.endpoint_url else None,
            )
            self._clients[service] = self._session.client(
                service, endpoint_url=self.endpoint_url, config=config
            )
        return self._clients[service]

    @property
    def effective_region(self) -> str:
        return str(self._session.region_name or "us-east-1")


@cache
def _descriptions(data_path: str | None) -> Any:
    """What botocore knows of each API. Parsing it is most of what making a client takes: once a
    process, not at each poll."""
    from botocore.loaders import create_loader

    return create_loader(data_path)


@contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn botocore's errors into one ``SourceError`` that names ``subject``."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
        NoRegionError,
    )

    try:
        yield
    except ClientError as error:
        detail = error.response.get("Error", {})
        code = detail.get("Code", "error")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        away = status >= _SERVER_FAULT or code in _BUSY
        raise SourceError(
            f"{subject}: refused with {code}: {detail.get('Message', error)}",
            exit_code=MISSING if away else REFUSED,
        ) from error
    except NoCredentialsError as error:
        raise SourceError(
            f"{subject}: no AWS credentials found; set AWS_PROFILE or AWS_ACCESS_KEY_ID",
            exit_code=MISSING,
        ) from error
    except NoRegionError as error:
        raise SourceError(
            f"{subject}: no region; pass --region or set AWS_REGION", exit_code=MISSING
        ) from error
    except EndpointConnectionError as error:
        raise SourceError(
            f"{subject}: {error}; is the endpoint right (--endpoint-url) and running?",
            exit_code=MISSING,
        ) from error
    except BotoCoreError as error:
        raise SourceError(f"{subject}: {error}", exit_code=MISSING) from error
