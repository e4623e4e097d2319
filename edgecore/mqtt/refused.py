"""Who was not let in, and why: for the operator, who looks for a camera. Pure."""

from __future__ import annotations

from collections import OrderedDict

from contract.status import RefusedClient

MAX_CLIENTS = 64
MAX_TEXT = 200


class RefusedClients:
    """The last ``MAX_CLIENTS`` that were refused; ``now`` is of the loop's clock."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[str, int, float]] = OrderedDict()

    def add(self, who: str, reason: str, now: float) -> None:
        _, count, _ = self._last.pop(who := who[:MAX_TEXT], ("", 0, now))
        self._last[who] = (reason[:MAX_TEXT], count + 1, now)
        if len(self._last) > MAX_CLIENTS:
            self._last.popitem(last=False)

    def status(self, now: float) -> list[RefusedClient]:
        """The latest first."""
        return [
            {"who": who, "reason": reason, "count": count, "since_s": round(now - t, 1)}
            for who, (reason, count, t) in reversed(self._last.items())
        ]
