"""Calls somebody when something is wrong: rules of the site, judged once a second, sent by
webhook, MQTT and mail. ``states`` and ``judge`` are pure; ``channel`` has a thread for each way."""
