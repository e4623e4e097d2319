"""What a core with a device certificate does with AWS IoT, over one connection.

Results up, messages and shadows down, credentials, jobs. Nothing here is imported by a core
that was started without ``--join``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from contract.status import UplinkStatus
from edgecore.core.options import CoreError, Options
from edgecore.daemon.rollout import Rollout
from edgecore.daemon.running_group import RunningGroup
from edgecore.jobs.artifacts import Artifacts
from edgecore.jobs.executor import Executor
from edgecore.jobs.s3 import S3Source, role_alias_session
from edgecore.uplink.iot.downlink import Downlink
from edgecore.uplink.iot.identity import Identity, IdentityError, read_identity
from edgecore.uplink.iot.link import Link
from edgecore.uplink.iot.mqtt_sink import MqttSink
from edgecore.uplink.iot.paho_session import connect
from edgecore.uplink.iot.port import CannotConnect
from edgecore.uplink.iot.problems import Problem
from edgecore.uplink.iot.refused import RefusedMessages
from edgecore.uplink.iot.role_alias import RoleAliasCredentials
from edgecore.uplink.iot.shadow_sync import ShadowSync

log = logging.getLogger(__name__)


class CloudSide:
    """``start``, ``show`` for every group that runs, ``close``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.link = Link(self._identity_or_problem, connect)
        self.sink = MqttSink(self.link, RefusedMessages(options.state / "refused"))
        self.credentials = RoleAliasCredentials(self.identity)
        self._downlink = Downlink(self.link)
        self._shadows = ShadowSync(self.link, options.state / "shadows" / "sync")
        self._jobs: Executor | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: list[str] = []
        self._showing = asyncio.Lock()

    def identity(self) -> Identity:
        """Read anew each time: a file that was put right works at once. Raises IdentityError."""
        options = self._options
        assert options.join is not None  # noqa: S101 - no join, no CloudSide
        return read_identity(options.join, endpoint=options.iot_endpoint, proxy=options.iot_proxy)

    def secrets_client(self) -> Any:
        """Secrets Manager, with the role alias's credentials. Blocking."""
        identity = self.identity()
        region = self._options.region or identity.region or "us-east-1"
        session = role_alias_session(self.credentials, region)
        return session.client("secretsmanager", endpoint_url=self._options.endpoint_url)

    def start(self) -> None:
        self.spawn(self.link.run())
        self.spawn(self._shadows.run())

    def execute_jobs(self, deployments: Rollout) -> None:
        """From now on jobs decide what runs. Raises IdentityError, and CoreError where the
        join file says that this device takes none."""
        identity = self.identity()
        if not identity.jobs:
            raise CoreError(
                f"--group jobs: {self._options.join} says jobs: false; provision the device "
                "for jobs, or give the core a --group of its own"
            )
        source = S3Source(
            self.credentials,
            region=lambda: self._options.region or identity.region or "us-east-1",
            endpoint_url=self._options.endpoint_url,
            proxy=identity.proxy,
        )
        parts = self._options.state / "jobs" / "parts"
        self._jobs = Executor(
            self.link,
            self._options.state,
            thing=identity.thing,
            site=identity.site,
            deployments=deployments,
            artifacts=Artifacts(parts, source, proxy=identity.proxy),
        )
        deployments.decided = self._jobs.wake
        self.spawn(self._jobs.run())

    def show(self, running: RunningGroup | None) -> None:
        """Another group runs: its subscriptions and shadows count from now on."""
        if running is not None:
            self.spawn(self._show(running))

    async def _show(self, running: RunningGroup) -> None:
        async with self._showing:
            running.shadow_watcher = self._shadows.changed_here
            await self._shadows.show(running.group, running.shadows)
            await self._downlink.show(running.group, running.router.publish)

    def status(self) -> UplinkStatus:
        """``cloud`` of ``/api/status``, beside the spool's own figures (docs/spec/iot.md)."""
        link = self.link.status()
        status: UplinkStatus = {
            **self.sink.status(),
            "link": link,
            "from_cloud": self._downlink.status(),
            "shadows": self._shadows.status(),
            "credentials": self.credentials.status(),
        }
        if link["message"]:
            status["last_error"] = link["message"]
        if self._jobs is not None:
            status["jobs"] = self._jobs.status()
        return status

    def findings(self) -> list[str]:
        """Sentences for the operator; empty while all is well."""
        status = self.link.status()
        found = [*self._broken, *([f"cloud: {status['message']}"] if status["message"] else [])]
        if status["taken_over"]:
            found.append(f"cloud: connection taken over {status['taken_over']} times in the last "
                "ten minutes: another core uses this certificate")  # fmt: skip
        found += [f"cloud: no messages on {f}: {words}" for f, words in
            status["refused_filters"].items()]  # fmt: skip
        kept = self._options.state / "refused"
        found += [
            f"cloud: {t['count']} messages on {t['topic']} were refused ({t['reason']}); "
            f"they are kept in {kept}"
            for t in self.sink.status()["quarantined"]["topics"]
        ]
        problem = self.credentials.status()["problem"]
        return found + ([f"credentials: {problem}"] if problem else [])

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sink.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("cloud: a part ended", exc_info=error)
            self._broken.append(f"cloud: a part of the core ended ({error!r}): restart the core, "
                "and report its log")  # fmt: skip

    def _identity_or_problem(self) -> Identity:
        try:
            return self.identity()
        except IdentityError as error:
            raise CannotConnect(Problem("identity", str(error))) from error
