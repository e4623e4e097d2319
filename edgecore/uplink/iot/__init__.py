"""AWS IoT Core over MQTT 5 with the device's certificate (docs/spec/iot.md).

One connection carries results up, messages of the cloud and shadows down, and jobs. ``port``
is all that is asked of an MQTT client; window, pace, order, patience and verdicts are ours
and pure (``window``, ``pacing``, ``suspects``, ``reason_codes``).
"""
