"""AWS IoT Jobs: rollouts to things and groups, and the devices' own side over MQTT."""
