"""awsiotsdk, its MQTT 3.1.1 connection: a message to itself, then its shadow."""

import queue
import sys

from awscrt import mqtt
from awsiot import iotshadow, mqtt_connection_builder

TIMEOUT_S = 90
ca, certificate, key, port, name = sys.argv[1:]
connection = mqtt_connection_builder.mtls_from_path(
    endpoint="localhost", port=int(port), client_id=name,
    cert_filepath=certificate, pri_key_filepath=key, ca_filepath=ca,
)  # fmt: skip
connection.connect().result(TIMEOUT_S)
once = mqtt.QoS.AT_LEAST_ONCE
arrived: queue.Queue = queue.Queue()
granted, _ = connection.subscribe(f"own/{name}", once, lambda topic, payload: arrived.put(payload))
granted.result(TIMEOUT_S)
connection.publish(f"own/{name}", f'{{"from": "{name}"}}', once)[0].result(TIMEOUT_S)
shadows = iotshadow.IotShadowClient(connection)
accepted: queue.Queue = queue.Queue()
shadows.subscribe_to_update_shadow_accepted(
    iotshadow.UpdateShadowSubscriptionRequest(thing_name=name), once, accepted.put
)[0].result(TIMEOUT_S)
state = iotshadow.ShadowState(reported={"n": 1})
update = iotshadow.UpdateShadowRequest(thing_name=name, state=state, client_token="t")
shadows.publish_update_shadow(update, once).result(TIMEOUT_S)
assert accepted.get(timeout=TIMEOUT_S).client_token == "t"
print(arrived.get(timeout=TIMEOUT_S).decode())
connection.disconnect().result(TIMEOUT_S)
