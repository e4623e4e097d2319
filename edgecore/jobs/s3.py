"""Objects of S3 with the role alias's credentials, from any byte on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from edgecore.jobs.artifacts import ArtifactAway, ArtifactExpired, ArtifactFailed
from edgecore.uplink.iot.role_alias import NoCredentials, RoleAliasCredentials
from edgecore.uplink.iot.role_alias_request import expiry_text

CHUNK_BYTES = 1 << 16
"""botocore waits until it has so much: a slow download can be stopped between two of them."""
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60


def role_alias_session(credentials: RoleAliasCredentials, region: str) -> Any:
    """A boto3 session whose credentials renew themselves."""
    import boto3
    import botocore.session
    from botocore.credentials import DeferredRefreshableCredentials

    def refresh() -> dict[str, str]:
        held = credentials.now()
        return {
            "access_key": held.key_id,
            "secret_key": held.secret,
            "token": held.token,
            "expiry_time": expiry_text(held.expires_at),
        }

    session = botocore.session.get_session()
    session._credentials = DeferredRefreshableCredentials(refresh, "iot-role-alias")
    return boto3.session.Session(botocore_session=session, region_name=region)


class S3Source:
    """``edgecore.jobs.artifacts.S3Get``. ``region`` and ``endpoint_url`` None: AWS's own."""

    def __init__(
        self,
        credentials: RoleAliasCredentials,
        *,
        region: Callable[[], str],
        endpoint_url: str | None,
        proxy: str | None,
    ) -> None:
        self._credentials, self._region = credentials, region
        self._endpoint_url, self._proxy = endpoint_url, proxy
        self._client: Any = None

    def __call__(self, bucket: str, key: str, first: int) -> tuple[Iterator[bytes], bool]:
        from botocore.exceptions import BotoCoreError, ClientError

        what = f"s3://{bucket}/{key}"
        extra = {"Range": f"bytes={first}-"} if first else {}
        try:
            answer = self._made().get_object(Bucket=bucket, Key=key, **extra)
        except NoCredentials as error:
            raise ArtifactAway(f"{what}: {error}") from error
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = error.response.get("Error", {}).get("Code", "error")
            if status >= 500 or code == "SlowDown":
                raise ArtifactAway(f"{what}: S3 answers {code}") from error
            if code in ("RequestTimeTooSkewed", "RequestExpired"):
                raise ArtifactAway(f"{what}: S3 answers {code}: this device's clock is wrong; set "
                    "it (timedatectl set-ntp true)") from error  # fmt: skip
            if code in ("ExpiredToken", "InvalidAccessKeyId"):
                raise ArtifactExpired(f"{what}: S3 answers {code}") from error
            raise ArtifactFailed(f"{what}: S3 refuses with {code}; check that the role of the "
                "role alias may read it, and that it is there") from error  # fmt: skip
        except (BotoCoreError, OSError) as error:
            raise ArtifactAway(f"{what}: {error}") from error
        return _chunks(what, answer["Body"]), bool(first)

    def _made(self) -> Any:
        if self._client is None:
            from botocore.config import Config

            config = Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"max_attempts": 2, "mode": "standard"},
                proxies={"https": self._proxy} if self._proxy else None,
                s3={"addressing_style": "path"} if self._endpoint_url else None,
            )
            session = role_alias_session(self._credentials, self._region())
            self._client = session.client("s3", endpoint_url=self._endpoint_url, config=config)
        return self._client


def _chunks(what: str, body: Any) -> Iterator[bytes]:
    from botocore.exceptions import BotoCoreError

    try:
        with contextlib.closing(body):
            yield from body.iter_chunks(CHUNK_BYTES)
    except (BotoCoreError, OSError) as error:
        raise ArtifactAway(f"{what}: the download broke off ({error})") from error
