"""Temporary AWS credentials for the device's certificate: held, renewed in time, handed out.

One request at a time. A refusal is remembered, each time for longer, so that nobody hammers the
provider and a short trouble is over soon.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from edgecore.uplink.backoff import Backoff
from edgecore.uplink.iot.identity import Identity, IdentityError
from edgecore.uplink.iot.role_alias_request import Answer, AskingFailed, Credentials, ask
from edgecore.uplink.iot.waiting import in_own_thread, since_boot_s

log = logging.getLogger(__name__)

RENEW_BEFORE_S = 300.0
"""The Greengrass nucleus renews five minutes before the end."""
MAX_RENEW_FRACTION = 0.5
FIRST_AGAIN_S, LONGEST_AGAIN_S = 4.0, 120.0
SKEW_S = 240.0
"""AWS refuses signatures that are more than 5 minutes off (S3: 15)."""


class NoCredentials(LookupError):  # noqa: N818 - a state of the world
    """Why there are none: one line with the remedy."""


class RoleAliasCredentials:
    """``now`` blocks and may be called from any thread; ``get`` waits in the event loop."""

    def __init__(
        self, identity: Callable[[], Identity], *, clock: Callable[[], float] = since_boot_s
    ) -> None:
        self._identity, self._clock = identity, clock
        self._lock = threading.Lock()
        self._asking: asyncio.Future[Credentials] | None = None
        self._asked_for: Identity | None = None
        self._held: Credentials | None = None
        self._renew_at = self._ends_at = 0.0
        self._backoff = Backoff(base_s=FIRST_AGAIN_S, cap_s=LONGEST_AGAIN_S)
        self._refused_until = 0.0
        self._problem: str | None = None
        self._skew_s = 0.0
        self.fetched = 0

    async def get(self) -> Mapping[str, Any]:
        """For functions. Raises ``NoCredentials``. Who asks while the provider hangs waits in one
        thread for all, and not at all while the old ones serve."""
        held, now = self._held, self._clock()
        if held is not None and now < self._renew_at:
            return held.as_answer()
        if self._asking is None or self._asking.done():
            self._asking = in_own_thread(self.now, "credentials")
            self._asking.add_done_callback(_heard)
        if held is not None and now < self._ends_at:
            return held.as_answer()
        return (await asyncio.shield(self._asking)).as_answer()

    def now(self) -> Credentials:
        """Raises ``NoCredentials``. Old ones serve until their end where new ones fail."""
        with self._lock:
            identity = self._known_identity()
            now = self._clock()
            if identity != self._asked_for:
                self._ask_anew(identity)
            if self._held is not None and now < self._renew_at:
                return self._held
            if now >= self._refused_until:
                self._renew(identity)
            if self._held is not None and self._clock() < self._ends_at:
                return self._held
            raise NoCredentials(self._problem or "no credentials yet")

    def status(self) -> dict[str, Any]:
        """``source`` as the demo and the page show it."""
        return {
            "source": "role-alias",
            "expires_at": self._held.expires_at if self._held else None,
            "fetched": self.fetched,
            "problem": self._problem or self._clock_problem(),
        }

    def _ask_anew(self, identity: Identity) -> None:
        """The join file is another: asked at once. A new certificate of the same thing keeps what
        the old one had until then; another thing or another role keeps nothing."""
        before, self._asked_for = self._asked_for, identity
        if before is None or _lender(before) != _lender(identity):
            self._held = None
        self._renew_at = self._refused_until = 0.0
        self._backoff.reset()

    def _known_identity(self) -> Identity:
        try:
            identity = self._identity()
        except IdentityError as error:
            raise NoCredentials(str(error)) from error
        if not identity.role_alias or not identity.credentials_host:
            raise NoCredentials(
                f"{identity.source}: names no role_alias with credentials_endpoint, so this core "
                "has no AWS credentials; provision the device again with a role alias"
            )
        return identity

    def _renew(self, identity: Identity) -> None:
        asked_at = self._clock()
        try:
            answer = ask(identity)
        except AskingFailed as error:
            again_s = min(self._backoff.next_s(), error.longest_s)
            self._refused_until = self._clock() + again_s
            if error.message != self._problem:
                log.warning("credentials: %s", error.message)
            self._problem = error.message
            return
        if self._problem is not None:
            log.info("credentials: there are new ones again")
        self.fetched += 1
        self._held, self._problem, self._refused_until = answer.credentials, None, 0.0
        self._backoff.reset()
        self._ends_at = asked_at + answer.life_s
        self._renew_at = self._ends_at - min(RENEW_BEFORE_S, answer.life_s * MAX_RENEW_FRACTION)
        self._look_at_the_clock(answer)

    def _look_at_the_clock(self, answer: Answer) -> None:
        was_off = self._clock_problem()
        self._skew_s = answer.skew_s or 0.0
        if (problem := self._clock_problem()) and not was_off:
            log.warning("credentials: %s", problem)

    def _clock_problem(self) -> str | None:
        if abs(self._skew_s) <= SKEW_S:
            return None
        return (
            f"this device's clock is {self._skew_s:+.0f} s off AWS's: AWS refuses what it signs; "
            "set the clock (timedatectl set-ntp true)"
        )


def _lender(identity: Identity) -> tuple[object, ...]:
    return identity.thing, identity.role_alias, identity.credentials_host


def _heard(asked: asyncio.Future[Credentials]) -> None:
    """Whoever asked may be gone; its error is in the status."""
    if not asked.cancelled():
        asked.exception()
