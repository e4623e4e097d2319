"""AWSIoTPythonSDK: a message to itself, then its shadow."""

import queue
import sys

from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTShadowClient

ca, certificate, key, port, name = sys.argv[1:]
shadows = AWSIoTMQTTShadowClient(name)
shadows.configureEndpoint("localhost", int(port))
shadows.configureCredentials(ca, key, certificate)
shadows.configureMQTTOperationTimeout(60)  # 5 s is short beside other tests
shadows.connect()
arrived: queue.Queue = queue.Queue()
plain = shadows.getMQTTConnection()
plain.subscribe(f"own/{name}", 1, lambda _c, _u, message: arrived.put(message.payload))
plain.publish(f"own/{name}", f'{{"from": "{name}"}}', 1)
own = shadows.createShadowHandlerWithName(name, True)
statuses: queue.Queue = queue.Queue()
own.shadowUpdate('{"state":{"reported":{"n":1}}}', lambda _p, s, _t: statuses.put(s), 60)
assert (status := statuses.get(timeout=90)) == "accepted", status
own.shadowGet(lambda _p, s, _t: statuses.put(s), 60)
assert (status := statuses.get(timeout=90)) == "accepted", status
print(arrived.get(timeout=90).decode())
shadows.disconnect()
