"""Memory and rate of listing an archive in S3, for archives of several sizes.

    python -m bench.replay_listing 10000 100000 1000000

For each COUNT a process of its own lists so many keys over HTTP with boto3, cuts them into shards
and writes the plan, as a replay's driver does; it reports its peak of resident memory. The other
side is a server that makes up `ListObjectsV2` pages of 1,000 keys, or with `--moto` moto's S3
(which looks at every key of the bucket for each page: take 10,000 or 100,000).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BUCKET, PAGE = "archive", 1000
_DRIVER = "driver"
ENTRY = (
    "<Contents><Key>cam{cam:03}/2026/11/29/{n:09}.jpg</Key><LastModified>2026-11-29T00:00:00.000Z"
    "</LastModified><ETag>&quot;{n:032x}&quot;</ETag><Size>184320</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


class Pages(BaseHTTPRequestHandler):
    """So many keys over ten cameras, whoever asks."""

    count = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        start = int(asked.get("continuation-token", ["0"])[0])
        end = min(start + PAGE, self.count)
        per_camera = -(-self.count // 10)
        keys = "".join(ENTRY.format(cam=n // per_camera, n=n) for n in range(start, end))
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < self.count else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
            f"{more}{keys}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def pages(count: int) -> Iterator[str]:
    served = type("Served", (Pages,), {"count": count})
    server = ThreadingHTTPServer(("127.0.0.1", 0), served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def moto(count: int) -> Iterator[str]:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    store.create_bucket(BUCKET, "us-east-1")
    for n in range(count):
        store.put_object(BUCKET, f"cam{n * 10 // count:03}/2026/11/29/{n:09}.jpg", b"x")
    host, port = server.get_host_and_port()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    yield f"http://{host}:{port}"
    server.stop()
    store.reset()


def peak_kb() -> int:
    """Of this program alone; `ru_maxrss` would count the process that started it too."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def driver() -> None:
    """The measured process: what `fanfold replay` does before its first shard."""
    from replay.opening import place_of
    from replay.plan import make_plan

    start = time.monotonic()
    plan = make_plan(place_of(f"s3://{BUCKET}"), 1000)
    seconds = time.monotonic() - start
    peak_mb = peak_kb() / 1024
    print(
        json.dumps({"images": plan.images, "shards": plan.shards, "peak_mb": round(peak_mb, 1),
                    "keys_per_s": round(plan.images / seconds),
                    "cpu_us_per_key": round(time.process_time() / plan.images * 1e6, 1)})
    )  # fmt: skip
    plan.close()


def main(arguments: list[str]) -> int:
    if arguments == [_DRIVER]:
        driver()
        return 0
    parser = argparse.ArgumentParser(
        "bench.replay_listing", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("counts", type=int, nargs="+", metavar="COUNT", help="keys of an archive")
    parser.add_argument("--moto", action="store_true", help="moto's S3 on the other side")
    given = parser.parse_args(arguments)
    if wrong := [count for count in given.counts if count < 1]:
        parser.error(f"COUNT {wrong[0]}: an archive has at least one key")
    for count in given.counts:
        with (moto if given.moto else pages)(count) as url:
            access = {
                "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            }  # fmt: skip
            subprocess.run(
                [sys.executable, "-m", "bench.replay_listing", _DRIVER],
                env={**os.environ, **access}, check=True,
            )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
