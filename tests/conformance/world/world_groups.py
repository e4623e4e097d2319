"""Lambdas in the style of AWS's tutorials, and the interpreters that run them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecore.supervisor.interpreters import probe

PYENV = Path.home() / ".pyenv" / "versions"

ECHO_2_OR_3 = '''# -*- coding: utf-8 -*-
"""Asks another function through the two modules that the core supplies."""
import base64, json, os, sys
from greengrass_common.env_vars import MY_FUNCTION_ARN, ROUTER_FUNCTION_ARN
from greengrass_ipc_python_sdk.ipc_client import IPCClient, IPCException
ipc = IPCClient()
def handler(event, context):
    if event.get("fail"):
        raise ValueError(u"caf\\u00e9")
    return {"version": "%d.%d" % sys.version_info[:2], "got": event,
            "custom": context.client_context.custom}
def ask(payload):
    context = base64.b64encode(json.dumps({"custom": "text"}).encode())
    number = ipc.post_work(os.environ["OTHER"], payload, context)
    return ipc.get_work_result(os.environ["OTHER"], number)
if MY_FUNCTION_ARN != os.environ["OTHER"]:
    failed = ask(b'{"fail": true}')
    assert failed.func_err == "Handled", failed
    for payload in (u'{"n": "caf\\u00e9"}', u'{"n": "caf\\u00e9"}'.encode("utf-8")):
        answer = json.loads(ask(payload).payload.decode())
        assert answer["got"]["n"] == u"caf\\u00e9", answer
    assert answer["custom"] == "text", answer
    context = {"custom": {"source": MY_FUNCTION_ARN, "subject": "out/answer"}}
    ipc.post_work(ROUTER_FUNCTION_ARN, ("Python %s asked" % answer["version"]).encode(),
                  base64.b64encode(json.dumps(context).encode()), "Event")
'''


def python_of(version: str) -> str:
    """An interpreter of that version from pyenv or PATH, or the test is skipped."""
    found = sorted(PYENV.glob(f"{version}.*/bin/python"))
    path = os.fspath(found[0]) if found else f"python{version}"
    if probe(path) is None:
        pytest.skip(f"no Python {version} on this machine")
    return path
