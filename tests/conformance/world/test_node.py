"""Node functions with the published aws-greengrass-core-sdk, unmodified from npm."""

from __future__ import annotations

import base64
import shutil
from typing import Any

import pytest
from core_site import Site, arn_of
from published import copy_package
from waiting import eventually

SDK = "aws-greengrass-core-sdk"
ASKS = """
const gg = require('aws-greengrass-core-sdk');
const data = new gg.IotData();
const asked = new gg.Lambda();
const say = (topic, payload) => data.publish({topic, payload}, (e) => e && console.log('E', e));
asked.invoke({FunctionName: 'OTHER', Payload: JSON.stringify({n: 2}),
  ClientContext: Buffer.from('{"custom":"text"}').toString('base64')},
  (error, answer) => say('out/answer', error ? String(error) : String(answer.Payload)));
asked.invoke({FunctionName: 'OTHER', Payload: '{"fail":1}'},
  (error, answer) => say('out/failed', answer.FunctionError));
data.publish({topic: 'out/large', payload: 'x'.repeat(131073)},
  (error) => say('out/refused', String(error)));
data.updateThingShadow({thingName: 't-core', payload: '{"state":{"reported":{"a":1}}}'},
  (error, answer) => say('out/shadow', String(answer.Payload)));
exports.handler = (event, context, callback) => callback(null, 'ok');
"""
ANSWERS = """
exports.handler = async (event, context) => {
  if (event.fail) throw new Error('as asked');
  return {twice: event.n * 2, custom: context.clientContext.custom};
};
"""


def _payload(message: dict[str, Any]) -> Any:
    if "payload" in message:
        return message["payload"]
    return base64.b64decode(message["payload_base64"]).decode()


def _node(site: Site, name: str, source: str) -> None:
    site.function(name, "")
    code = site.folder / "code" / name
    (code / "main.py").unlink()
    (code / "index.js").write_text(source.replace("OTHER", arn_of("b")))
    if SDK in source:
        copy_package(SDK, code / "node_modules")
    entry = site.document["Lambdas"][arn_of(name)]
    entry.update(Runtime="nodejs12.x", Handler="index.handler")


def test_a_node_function_publishes_invokes_and_keeps_a_shadow(site: Site) -> None:
    _node(site, "b", ANSWERS)
    _node(site, "a", ASKS)
    site.connect("a", "out/#", "cloud")
    site.start()
    eventually(lambda: len(site.cloud()) >= 4, "four answers went to the cloud")
    said = {message["topic"]: _payload(message) for message in site.cloud()}
    assert said["out/answer"] == {"twice": 4, "custom": "text"}
    assert said["out/failed"] == "Handled"
    assert "131073 bytes" in said["out/refused"]
    assert said["out/shadow"]["state"] == {"reported": {"a": 1}}
    assert site.of("a")["restarts"] == 0


def test_a_node_handler_that_cannot_be_loaded_says_why(site: Site) -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node.js on this machine")
    _node(site, "a", "require('nowhere');")
    site.start()
    eventually(lambda: "Failed to import handler" in site.log("a"), "its log says why")
