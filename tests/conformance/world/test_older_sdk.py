"""greengrasssdk 1.3.0, the oldest edition on PyPI, unmodified in the code of two functions."""

from __future__ import annotations

import base64
import json
import shutil

from core_site import Site, arn_of
from published import older
from waiting import eventually

ASKS = f"""import base64, greengrasssdk, json
custom = base64.b64encode(json.dumps({{"custom": "text"}}).encode())
asked = greengrasssdk.client("lambda")
answer = asked.invoke(FunctionName={arn_of("b")!r}, Payload=json.dumps({{"n": 2}}).encode(),
    ClientContext=custom)
data = greengrasssdk.client("iot-data")
data.publish(topic="out/answer", payload=answer["Payload"].read())
state = b'{{"state":{{"reported":{{"a":1}}}}}}'
shadow = data.update_thing_shadow(thingName="t-core", payload=state)
data.publish(topic="out/shadow", payload=shadow["payload"])
def handler(event, context):
    pass
"""
ANSWERS = """def handler(event, context):
    return {"twice": 2 * event["n"], "custom": context.client_context.custom}
"""


def test_its_clients_invoke_publish_and_keep_a_shadow(site: Site) -> None:
    sdk = older("greengrasssdk")
    site.function("b", ANSWERS)
    site.function("a", ASKS)
    shutil.copytree(sdk / "greengrasssdk", site.folder / "code" / "a" / "greengrasssdk")
    site.connect("a", "out/#", "cloud")
    site.start()
    eventually(lambda: len(site.cloud()) >= 2, "both answers went to the cloud")
    said = {m["topic"]: _payload(m) for m in site.cloud()}
    assert said["out/answer"] == {"twice": 4, "custom": "text"}
    assert said["out/shadow"]["state"] == {"reported": {"a": 1}}


def _payload(message: dict) -> dict:
    if "payload" in message:
        return message["payload"]
    return json.loads(base64.b64decode(message["payload_base64"]))
