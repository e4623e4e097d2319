"""`python -m devcloud start|status|stop|env|bootstrap`."""

# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from devcloud import DEFAULT_PORT, DEFAULT_STATE, DevCloudError, bootstrap, find, start


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="devcloud",
        description="A cloud on this machine for the real `cdk deploy`. State is in memory.",
        epilog='Then: eval "$(python -m devcloud env)", and boto3, aws and cdk talk to it.',
    )
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free one")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE)
    options = parser.parse_args(argv)
    try:
        return _VERBS[options.verb](options)
    except DevCloudError as error:
        print(f"devcloud: {error}", file=sys.stderr)
        return error.exit_code


def _start(options: argparse.Namespace) -> int:
    cloud = start(options.port, options.state)
    print(f"development cloud answers on {cloud.url} (pid {cloud.pid})")
    return 0


def _status(options: argparse.Namespace) -> int:
    cloud = find(options.state)
    print(json.dumps({"running": cloud is not None, "url": cloud.url if cloud else None}))
    return 0 if cloud else 1


def _stop(options: argparse.Namespace) -> int:
    if cloud := find(options.state):
        cloud.stop()
    return 0


def _env(options: argparse.Namespace) -> int:
    cloud = find(options.state)
    if cloud is None:
        raise DevCloudError(
            f"no development cloud runs with state in {options.state}; start it first"
        )
    for name, value in cloud.env().items():
        print(f"export {name}={value}")
    return 0


def _bootstrap(options: argparse.Namespace) -> int:
    bootstrap(start(options.port, options.state))
    return 0


_VERBS = {
    "start": _start,
    "status": _status,
    "stop": _stop,
    "env": _env,
    "bootstrap": _bootstrap,
}

if __name__ == "__main__":
    raise SystemExit(main())
