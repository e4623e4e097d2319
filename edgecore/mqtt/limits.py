"""What one endpoint allows; every number can be set by whoever starts it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass

from edgecore.core.descriptors import cap
from edgecore.mqtt.decoder import MAX_PAYLOAD_BYTES


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Defaults suit a few hundred cameras on one core."""

    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    max_clients: int = 500
    """Accepted clients at once."""
    max_unauthenticated: int = 200
    """Connections that no CONNECT has been accepted for yet. One more ends the oldest of the
    address that has most of them: who connects and stays silent keeps nobody out."""
    max_unauthenticated_per_host: int = 100
    """Of one address, those that no CONNECT has been accepted for yet: a host that opens
    connections and sends nothing does not take the places of others."""
    connects_per_s: float = 50.0
    connect_burst: int = 100
    """Per address; all together four times as many (``ALL_HOSTS``)."""
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

    @property
    def taken(self) -> float:
        """How far it is from full."""
        return self._burst - self._tokens

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


ALL_HOSTS = 4
OWN_CONNECTS = 5
"""So many an address has for itself, however many others come at the same time."""
_REMEMBERED_HOSTS = 1024


class ConnectionLimiter:
    """Which connections to accept, before any cryptography is spent on them. Pure, as above."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._all = ConnectRate(
            ALL_HOSTS * limits.connects_per_s, ALL_HOSTS * limits.connect_burst, now
        )
        self._rates: OrderedDict[str, ConnectRate] = OrderedDict()
        self._unauthenticated: Counter[str] = Counter()
        self._clients = 0

    def acquire(self, host: str, now: float) -> bool:
        """False: refused; else ``release`` is called once when the connection is over."""
        limits = self._limits
        if self._clients >= limits.max_clients:
            return False
        if self._unauthenticated.get(host, 0) >= limits.max_unauthenticated_per_host:
            return False
        rate = self._rate_of(host, now)
        # In this order, so that a host beyond its own rate costs the others nothing.
        if not rate.take(now):
            return False
        if rate.taken > OWN_CONNECTS and not self._all.take(now):
            return False
        self._unauthenticated[host] += 1
        return True

    def crowding(self) -> str | None:
        """The address whose oldest unauthenticated connection must go; None while there is
        room for all."""
        if self._unauthenticated.total() <= cap(self._limits.max_unauthenticated):
            return None
        return self._unauthenticated.most_common(1)[0][0]

    def authenticated(self, host: str) -> None:
        """Its CONNECT was accepted."""
        self._clients += 1
        self._end_of_unauthenticated(host)

    def release(self, host: str, *, authenticated: bool) -> None:
        if authenticated:
            self._clients -= 1
        else:
            self._end_of_unauthenticated(host)

    def _end_of_unauthenticated(self, host: str) -> None:
        self._unauthenticated[host] -= 1
        if not self._unauthenticated[host]:
            del self._unauthenticated[host]

    def _rate_of(self, host: str, now: float) -> ConnectRate:
        rate = self._rates.get(host)
        if rate is None:
            rate = ConnectRate(self._limits.connects_per_s, self._limits.connect_burst, now)
            self._rates[host] = rate
            if len(self._rates) > _REMEMBERED_HOSTS:
                self._rates.popitem(last=False)
        self._rates.move_to_end(host)
        return rate
