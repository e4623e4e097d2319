"""How often somebody may try a password. Pure: the caller brings the monotonic time.

Attempts are counted by the address they come from, never by name alone: whoever mistypes
an operator's name all night keeps only himself out.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

FREE_FAILURES = 5
MAX_WAIT_S = 60.0
FORGET_S = 900.0
MAX_ADDRESSES = 4096


class Throttle:
    """``wait_s`` before an attempt, ``failed`` after one. A success forgives nothing: else whoever
    has a password of his own could guess another's between two log-ins."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """0: try; else the time until the next attempt of this address is looked at."""
        count, last = self._failures.get(_place(address), (0, now))
        if count < FREE_FAILURES or now - last >= FORGET_S:
            return 0.0
        pause = min(MAX_WAIT_S, 2.0 ** (count - FREE_FAILURES))
        return max(0.0, last + pause - now)

    def failed(self, address: str, now: float) -> None:
        place = _place(address)
        count, last = self._failures.get(place, (0, now))
        count = 1 if now - last >= FORGET_S else count + 1
        self._failures[place] = (count, now)
        self._failures.move_to_end(place)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)


def _place(address: str) -> str:
    """One subscriber has a whole /64 of IPv6."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if number.version == 6 and not number.ipv4_mapped:
        return str(ipaddress.ip_network(f"{number}/64", strict=False))
    return str(number.ipv4_mapped if number.version == 6 else number)
