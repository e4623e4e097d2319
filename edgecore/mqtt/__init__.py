"""The MQTT 3.1.1 endpoint for a group's devices (docs/spec/mqtt.md)."""
