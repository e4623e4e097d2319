"""What S3's refusals mean for a job: tried again, the document asked for anew, or the job's end."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from edgecore.jobs import s3
from edgecore.jobs.artifacts import ArtifactAway, ArtifactExpired, ArtifactFailed


class Refusing:
    """An S3 client that refuses."""

    def __init__(self, status: int, code: str) -> None:
        self.answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def get_object(self, **_: Any) -> Any:
        raise ClientError(self.answer, "GetObject")


def source_of(status: int, code: str) -> s3.S3Source:
    source = s3.S3Source(None, region=lambda: "eu-central-1", endpoint_url=None, proxy=None)  # type: ignore[arg-type]
    source._client = Refusing(status, code)
    return source


@pytest.mark.parametrize(
    ("status", "code", "meaning", "says"),
    [
        (503, "SlowDown", ArtifactAway, "S3 answers SlowDown"),
        (403, "RequestTimeTooSkewed", ArtifactAway, "this device's clock is wrong"),
        (400, "ExpiredToken", ArtifactExpired, "S3 answers ExpiredToken"),
    ],
)
def test_a_refusal_that_is_not_the_jobs_fault_is_tried_again(
    status: int, code: str, meaning: type[Exception], says: str
) -> None:
    with pytest.raises(meaning, match=says):
        source_of(status, code)("bucket", "key", 0)


def test_a_lack_of_rights_ends_the_job_once_new_ones_had_a_minute_to_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, now = source_of(403, "AccessDenied"), [0.0]
    monkeypatch.setattr(s3, "since_boot_s", lambda: now[0])
    for now[0] in (0.0, 30.0, 59.0):
        with pytest.raises(ArtifactAway, match="new rights take a while"):
            source("bucket", "key", 0)
    now[0] = 61.0
    with pytest.raises(ArtifactFailed, match="check that the role of the role alias may read it"):
        source("bucket", "key", 0)


def test_an_object_that_is_not_there_ends_the_job_at_once() -> None:
    with pytest.raises(ArtifactFailed, match="S3 refuses with NoSuchKey"):
        source_of(404, "NoSuchKey")("bucket", "key", 0)
