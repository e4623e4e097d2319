"""What one endpoint allows; every number can be set by whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass

from edgecore.mqtt.codec import MAX_PAYLOAD_BYTES


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Defaults suit a few hundred cameras on one core."""

    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    max_clients: int = 500
    """Connections at once, accepted or still shaking hands."""
    connects_per_s: float = 50.0
    connect_burst: int = 100
    connect_timeout_s: float = 10.0
    """From TCP accept (TLS included) to a whole CONNECT: stops a slow loris."""
    partial_packet_timeout_s: float = 60.0
    """How long one packet may take to arrive."""
    keep_alive_factor: float = 1.5
    """MQTT 3.1.1, 3.1.2.10: one and a half times the keep-alive."""
    max_outbound_bytes: int = 1 << 20
    """Unsent bytes per client beyond which deliveries to it are dropped and counted."""
    max_subscriptions: int = 50
    """Per connection: AWS IoT Core's quota."""
    busy_timeout_s: float = 30.0
    """How long a QoS 1 publish waits for room in the core before its client is cut off."""


class ConnectRate:
    """A token bucket. Pure: the caller brings the monotonic time."""

    def __init__(self, per_s: float, burst: int, now: float) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
