"""paho-mqtt 1 or 2, whichever is imported: what it published comes back to it."""

import sys

import paho.mqtt.client as mqtt

ca, certificate, key, port, name = sys.argv[1:]
if hasattr(mqtt, "CallbackAPIVersion"):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
else:
    client = mqtt.Client(client_id=name)
topic = f"own/{name}"


def on_message(_client, _userdata, message):
    print(message.payload.decode())
    client.disconnect()


client.tls_set(ca, certificate, key)
client.on_connect = lambda *_: client.subscribe(topic, 1)
client.on_subscribe = lambda *_: client.publish(topic, f'{{"from": "{name}"}}', 1)
client.on_message = on_message
client.connect("localhost", int(port))
client.loop_forever()
