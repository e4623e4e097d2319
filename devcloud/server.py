"""The development cloud's own process: moto's server with the plugin, on loopback only.

`python -m devcloud.server --port PORT --ready FILE`; FILE appears, whole, once requests
are answered: who reads it (0600) has the key of this run. State lives in memory and ends with
the process.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from devcloud.auth.keys import ACCOUNT, Key

HOST = "127.0.0.1"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="devcloud.server")
    parser.add_argument("--port", type=int, required=True, help="0: any free one")
    parser.add_argument("--ready", type=Path, required=True, help="file written when serving")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    gc.disable()  # most of what is imported stays: looking through it was a quarter of a start
    key = Key.random()
    _fake_account(key)
    try:
        server, iot_port = _bind(options.port, key, options.ready.parent / "iot")
    except OSError as error:
        print(f"devcloud: port {options.port}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 3
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
    _announce(options.ready, server.port, iot_port, key)
    server.serve_forever()
    return 0


def _fake_account(key: Key) -> None:
    """moto itself calls boto3 here and there: it must find no real credentials."""
    os.environ.update(
        AWS_ACCESS_KEY_ID=key.id,
        AWS_SECRET_ACCESS_KEY=key.secret,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        # Else moto looks for each key's account in all partitions, and loads AWS's 1,600 policies
        # for each of them, which is most of what the first request computes.
        MOTO_ACCOUNT_ID=ACCOUNT,
        MOTO_DISABLE_GLOBAL_CORS="true",  # no web page has any business here
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",  # cdk bootstrap attaches AWS's own policies
    )
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)


def _bind(port: int, key: Key, iot_folder: Path) -> tuple[Any, int]:
    """The server, ready to serve, and the port of the AWS IoT endpoint. Raises OSError."""
    from devcloud.plugin import openapi, regions

    regions.install()
    openapi.install()
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    from devcloud import greengrass_v2, iot, plugin
    from devcloud.auth.keys import Keyring
    from devcloud.auth.middleware import AuthMiddleware

    # Bound here and before the plugin: it must know the port, and werkzeug, asked to bind
    # a port that is taken, ends the process with a message of its own.
    listener = socket.create_server((HOST, port))
    taken = listener.getsockname()[1]
    moto = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        HOST,
        taken,
        AuthMiddleware(moto, Keyring(key), taken),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.detach(),
    )
    os.environ["MOTO_PORT"] = str(server.port)
    # "localhost", not 127.0.0.1: moto reads a template's URL path-style only with that name.
    address = f"http://localhost:{server.port}"
    plugin.install(address)
    return server, iot.start(iot_folder, address, [greengrass_v2.install])


def _announce(ready: Path, port: int, iot_port: int, key: Key) -> None:
    """Whole under its name, and from its first byte for this user alone."""
    ready.parent.mkdir(parents=True, exist_ok=True)
    part = ready.with_suffix(".part")
    part.unlink(missing_ok=True)
    known: dict[str, Any] = {"pid": os.getpid(), "port": port, "iot_port": iot_port}
    known |= {"key_id": key.id, "secret": key.secret}
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(known, out)
    part.replace(ready)


def _leave(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 (signal's signature)
    raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main())
