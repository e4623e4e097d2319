"""Objects of S3 with the role alias's credentials, from any byte on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edgecore.jobs.artifacts import ArtifactAway, ArtifactExpired, ArtifactFailed
from edgecore.uplink.iot.role_alias import NoCredentials, RoleAliasCredentials
from edgecore.uplink.iot.role_alias_request import expiry_text
from edgecore.uplink.iot.waiting import since_boot_s

CHUNK_BYTES = 1 << 16
"""botocore waits until it has so much: a slow download can be stopped between two of them."""
PATIENCE_S = 60.0
"""A role or policy that was made just now takes a while to count."""
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
        self._refused_since: dict[str, float] = {}

    def __call__(self, bucket: str, key: str, first: int) -> tuple[Iterator[bytes], bool]:
        from botocore.exceptions import BotoCoreError, ClientError

        what = f"s3://{bucket}/{key}"
        extra = {"Range": f"bytes={first}-"} if first else {}
        try:
            answer = self._made().get_object(Bucket=bucket, Key=key, **extra)
        except NoCredentials as error:
            raise ArtifactAway(f"{what}: {error}") from error
        except ClientError as error:
            raise self._refusal(what, error.response) from error
        except (BotoCoreError, OSError) as error:
            raise ArtifactAway(f"{what}: {error}") from error
        self._refused_since.pop(what, None)
        return _chunks(what, answer["Body"]), bool(first)

    def _since(self, what: str, now: float) -> float:
        return self._refused_since.setdefault(what, now)

    def _refusal(self, what: str, answer: Mapping[str, Any]) -> Exception:
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = answer.get("Error", {}).get("Code", "error")
        if status >= 500 or code == "SlowDown":
            return ArtifactAway(f"{what}: S3 answers {code}")
        if code in ("RequestTimeTooSkewed", "RequestExpired"):
            return ArtifactAway(f"{what}: S3 answers {code}: this device's clock is wrong; set it "
                "(timedatectl set-ntp true)")  # fmt: skip
        if code in ("ExpiredToken", "InvalidAccessKeyId"):
            return ArtifactExpired(f"{what}: S3 answers {code}")
        now = since_boot_s()
        if code == "AccessDenied" and now - self._since(what, now) < PATIENCE_S:
            return ArtifactAway(f"{what}: S3 refuses with {code}; tried for a minute, as new "
                "rights take a while to count")  # fmt: skip
        self._refused_since.pop(what, None)
        return ArtifactFailed(f"{what}: S3 refuses with {code}; check that the role of the role "
            "alias may read it, and that it is there")  # fmt: skip

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
