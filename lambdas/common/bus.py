"""Publishing through the Greengrass core: the one seam between our logic and the SDK.

`publish` says honestly whether the core took the message. It does not say that anyone
received it: Greengrass V1 delivers local messages at most once. Who must not lose a
message keeps it until the other side has answered.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Callable, Sequence

from contract.timing import PUBLISH_GIVE_UP_S
from lambdas.common.log import get_logger

# The core's own client retries from 50 ms, doubling to 500 ms, for 3 s in all; a part
# that waits that long stops draining its own queue, so we give up sooner and let the
# protocol send again.
FIRST_WAIT_S = 0.01
LONGEST_WAIT_S = 0.2

_log = get_logger("bus")


class Bus:
    """What a part needs of the core. Tests stand in for it by subclassing."""

    def publish(self, topic: str, payload: bytes) -> bool:
        """True when the core took the message; False when it refused it to the end."""
        raise NotImplementedError

    def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        """As `publish` for each (topic, payload). Where one is refused, later ones may have been
        taken before it: for messages whose order among themselves does not matter."""
        return [self.publish(topic, payload) for topic, payload in messages]


class GreengrassBus(Bus):
    """Publishes with `greengrasssdk`; safe to call from several threads.

    `AllOrException` asks the core to say so when its queue is full (GGC 1.10 and newer)
    instead of dropping the message without a word.
    """

    def __init__(
        self,
        client: Any | None = None,
        give_up_s: float = PUBLISH_GIVE_UP_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if client is None:
            import greengrasssdk

            client = greengrasssdk.client("iot-data")
        self._client = client
        # Our core's client below the SDK takes several messages at once; AWS's does not. It takes
        # a single one as well: the SDK writes each payload twice into a debug line.
        self._together = getattr(
            getattr(getattr(client, "lambda_client", None), "ipc", None), "publish_all", None
        )
        self._give_up_s = give_up_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self.refused = 0

    def publish(self, topic: str, payload: bytes) -> bool:
        deadline = self._clock() + self._give_up_s
        wait_s = FIRST_WAIT_S
        while True:
            error = self._try(topic, payload)
            if error is None:
                return True
            if self._clock() + wait_s > deadline:
                self.refused += 1
                _log.warning("not published on %s: %s (will be sent again)", topic, error)
                return False
            self._sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        if self._together is None or len(messages) < 2:
            return super().publish_all(messages)
        before = self.refused
        try:
            with self._lock:
                refused = self._together(list(messages))
        except Exception as error:  # as below: one by one it is said which
            _log.debug("not published together: %s", error)
            return super().publish_all(messages)
        taken: list[bool] = []
        for why, (topic, payload) in zip(refused, messages):
            # One that was refused to the end has waited for all: the core is full.
            waited = self.refused > before
            taken.append(not why or (not waited and self.publish(topic, payload)))
        return taken

    def _try(self, topic: str, payload: bytes) -> str | None:
        try:
            # The lock is held for one attempt, never across a wait.
            with self._lock:
                if self._together is not None:
                    return str(self._together([(topic, payload)])[0]) or None
                self._client.publish(topic=topic, payload=payload, queueFullPolicy="AllOrException")
        except Exception as error:
            # The SDK documents no exception type of its own here, and a refused publish
            # must never end the function.
            return f"{type(error).__name__}: {error}"
        return None


class RecordingBus(Bus):
    """Keeps what is published, in order. `take_all` False refuses like a full core."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.take_all = True

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.take_all:
            self.sent.append((topic, payload))
        return self.take_all
