"""An archive and a store in S3: moto's server speaks S3, boto3 asks it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from replay_kit import Whole, jpeg, package

from replay.cut import cut
from replay.errors import OverloadedError
from replay.s3 import Bucket, Retry


@pytest.fixture(scope="module")
def endpoint():
    from moto.server import ThreadedMotoServer  # not when tests are collected

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def s3(endpoint, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL_S3": endpoint, "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="plant")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="plant"):
        for found in page.get("Contents", ()):
            client.delete_object(Bucket="plant", Key=found["Key"])
    client.delete_bucket(Bucket="plant")


def test_an_archive_in_s3_is_replayed_into_s3_each_image_once(s3, tmp_path):
    for number in range(11):
        s3.put_object(Bucket="plant", Key=f"line/cam1/{number:03}.jpg", Body=jpeg(number))
    whole = Whole(
        Bucket.of("s3://plant/line"), Bucket.of("s3://plant/out"), package(tmp_path / "m")
    )
    s3.delete_object(Bucket="plant", Key="line/cam1/004.jpg")

    whole.run()
    report = whole.finish()

    assert (report["images"], report["failed"]) == (11, {"not_found": 1})
    assert [r["seq"] for r in whole.records()["cam1"]] == list(range(1, 12))


def test_keys_that_begin_with_a_slash_or_have_any_characters_get_their_records(s3, tmp_path):
    keys = ["//cam1/a.jpg", "//cam1/b.jpg", "/cam 1/%41+é.jpg", "/z.jpg"]
    for key in keys:
        s3.put_object(Bucket="plant", Key=f"line{key}", Body=jpeg(1))
    whole = Whole(
        Bucket.of("s3://plant/line"), Bucket.of("s3://plant/out"), package(tmp_path / "m")
    )

    whole.run()
    report = whole.finish()

    assert report["streams"] == {"": 2, "cam 1": 1, "images": 1}
    written = [r["file"] for records in whole.records().values() for r in records]
    assert sorted(written) == sorted(key[1:] for key in keys)


def test_of_two_writers_the_first_wins_and_the_other_learns_it(s3):
    place = Bucket.of("s3://plant/out")
    won = []
    threads = [
        threading.Thread(target=lambda n=n: won.append(place.write_once("x", b"%d" % n)))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(won) == [False, False, False, True]


def throttled(client, times: int, operation: str):
    """A client that is refused so many times; it asks once by itself, as the replay's does."""
    refusals = iter(range(times))

    def refuse(request, **_):
        if next(refusals, None) is None:
            return None
        body = b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"

        class Raw:
            def stream(self, *_, **__):
                yield body

        return AWSResponse(request.url, 503, {}, Raw())

    client.meta.events.register(f"before-send.s3.{operation}", refuse)
    return client


def asks_once():
    return boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))


def test_a_bucket_that_throttles_is_backed_off_and_then_answers(s3):
    waits = []
    client = throttled(asks_once(), 3, "PutObject")
    place = Bucket(client, "plant", "", Retry(60, waits.append))

    assert place.write_once("x", b"1")
    assert place.read("x") == b"1"
    assert len(waits) == 3


@pytest.mark.parametrize("size", [10, 20 << 20], ids=["one request", "parts"])
def test_a_whole_file_is_sent_to_a_bucket_that_throttles(s3, tmp_path, size):
    waits = []
    operation = "PutObject" if size < 1 << 20 else "UploadPart"
    sender = throttled(asks_once(), 2, operation)
    place = Bucket(boto3.client("s3"), "plant", "", Retry(60, waits.append), lambda: sender)
    (tmp_path / "file").write_bytes(b"x" * size)

    place.put_file("x", tmp_path / "file")

    assert len(place.read("x")) == size
    assert waits


def test_one_that_throttles_for_ever_sends_the_shard_back():
    from botocore.exceptions import ClientError

    waits = []
    patience = Retry(10, waits.append)

    def refused():
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "GetObject")

    with pytest.raises(OverloadedError, match="refused for"):
        patience("s3://b/x", refused)
    assert waits[0] < waits[-1]
    assert patience.waits == len(waits)


class Pages:
    """S3's listing of so many keys, page by page, as `list_objects_v2` answers."""

    def __init__(self, count: int) -> None:
        self._count = count

    def list_objects_v2(self, **asked):
        start = int(asked.get("ContinuationToken", "0"))
        end = min(start + 1000, self._count)
        page = {
            "Contents": [
                {"Key": f"cam1/{n:09}.jpg", "Size": 9, "ETag": '"e"'} for n in range(start, end)
            ]
        }
        return page if end == self._count else {**page, "NextContinuationToken": str(end)}


def peak_bytes(count: int) -> int:
    place = Bucket(Pages(count), "plant", "", Retry())
    tracemalloc.start()
    images = sum(len(shard.names) for shard in cut(place.entries(), 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images == count
    return peak


def alone(count: int) -> int:
    """`peak_bytes` in a process of its own: what other tests left running here allocates too."""
    code = f"from {Path(__file__).stem} import peak_bytes; print(peak_bytes({count}))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    "count", [25_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
def test_memory_of_listing_and_cutting_does_not_grow_with_the_archive(count):
    assert alone(count) < 1.3 * alone(5_000)
