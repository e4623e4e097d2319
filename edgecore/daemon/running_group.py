"""One deployment, running: queues, router, IPC, MQTT, supervisor wired together."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgecore.core.group import CLOUD, SHADOW_SERVICE, Group, Thing
from edgecore.core.observers import Observers
from edgecore.core.options import CoreError, Options
from edgecore.core.router import FunctionTarget, Router, Target
from edgecore.core.shadows import ShadowService
from edgecore.core.workqueue import WorkBudget, WorkQueue
from edgecore.daemon.targets import CloudTarget, DeviceTarget, ShadowTarget
from edgecore.ipc.api import IpcApi, Secrets
from edgecore.ipc.server import IpcServer
from edgecore.ipc.tokens import Tokens
from edgecore.mqtt.server import MqttServer
from edgecore.mqtt.tls import server_context
from edgecore.supervisor.environment import CommonEnvironment
from edgecore.supervisor.homes import Homes
from edgecore.supervisor.identity import Identities, IsolationError
from edgecore.supervisor.interpreters import InterpreterError, Interpreters
from edgecore.supervisor.launcher import Findings, Launcher
from edgecore.supervisor.logfiles import DEFAULT_SPACE_BYTES
from edgecore.supervisor.process import Reaper
from edgecore.supervisor.supervisor import Supervisor
from edgecore.uplink.credential_provider import Credentials
from edgecore.uplink.spooler import Spooler

if TYPE_CHECKING:
    from edgecore.mqtt.discovery import DiscoveryServer

log = logging.getLogger(__name__)


class RunningGroup:
    """``start``, then ``stop``; every deployment gets its own."""

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        group: Group,
        options: Options,
        *,
        spooler: Spooler,
        observers: Observers,
        reaper: Reaper,
        credentials: Credentials,
        secrets: Secrets,
        targets: Mapping[str, Target] | None = None,
    ) -> None:
        """``targets``: further ones, by the names that the group's subscriptions have for them."""
        self.group = group
        self._options = options
        self._observers = observers
        self._reaper = reaper
        loop = asyncio.get_running_loop()
        self._tokens = Tokens()
        self.budget = WorkBudget()
        self.queues = {
            f.arn: WorkQueue(self.budget, loop.time, loop.call_soon) for f in group.lambdas
        }
        self.mqtt: list[MqttServer] = []
        self.shadow_watcher: Callable[[str, bytes], None] | None = None
        self.shadows = ShadowService(
            options.state / "shadows", clock=time.time, publish=self._shadow_publish
        )
        self.router = Router(
            group.subscriptions,
            {**self._targets(spooler), **(targets or {})},
            self.budget,
            observers=observers,
            wall_clock=time.time,
            call_later=loop.call_later,
        )
        self._credentials, self._secrets = credentials, secrets
        self.supervisor: Supervisor
        self.launcher: Launcher

    def _targets(self, spooler: Spooler) -> dict[str, Target]:
        targets: dict[str, Target] = {
            arn: FunctionTarget(queue) for arn, queue in self.queues.items()
        }
        for thing in self.group.devices:
            targets[thing.thing_arn] = DeviceTarget(thing.thing_arn, self.mqtt)
        targets[CLOUD] = CloudTarget(spooler)
        targets[SHADOW_SERVICE] = ShadowTarget(self.shadows)
        return targets

    def _shadow_publish(self, topic: str, payload: bytes) -> None:
        self.router.publish(SHADOW_SERVICE, topic, payload)
        if self.shadow_watcher is not None:
            self.shadow_watcher(topic, payload)

    @property
    def ports(self) -> dict[str, int | None]:
        tls = [s.port for s in self.mqtt if s is not self._plain]
        plain = self._plain.port if self._plain is not None else None
        mqtt = tls[0] if tls else None
        discovery = {"discovery": self._discovery.port} if self._discovery is not None else {}
        return {"ipc": self.ipc.port, "mqtt": mqtt, "mqtt_plain": plain, **discovery}

    async def start(self, ports: Mapping[str, int | None] | None = None) -> None:
        """Listen, then start the functions. ``ports``: those of the group before, to keep.

        Raises CoreError: a port is taken, or bubblewrap is missing and all functions need it.
        """
        kept = dict(ports or {})
        self._plain: MqttServer | None = None
        self._renewing: list[asyncio.Task[None]] = []
        self._discovery: DiscoveryServer | None = None
        self._start_ipc_parts()
        await _listening(self.ipc.start(kept.get("ipc") or self._options.ipc_port), "--ipc-port")
        self.launcher = self._make_launcher()
        self.supervisor = self._make_supervisor()
        await self._start_mqtt(kept)
        await asyncio.to_thread(self._check_functions)
        self._api.attach(self.supervisor)
        self.supervisor.start()

    def _start_ipc_parts(self) -> None:
        self._api = IpcApi(
            router=self.router,
            queues=self.queues,
            tokens=self._tokens,
            shadows=self.shadows,
            credentials=self._credentials,
            secrets=self._secrets,
        )
        self.ipc = IpcServer(self._api)

    def _make_launcher(self) -> Launcher:
        options, group = self._options, self.group
        files = [x for x in group.loggers if x.component == "Lambda" and x.type == "FileSystem"]
        space = files[0].space_kb if files else None
        extra = {"AWS_ENDPOINT_URL": options.endpoint_url} if options.endpoint_url else {}
        around = CommonEnvironment(
            group=group,
            ipc_port=self.ipc.port,
            ipc_unix_name=self.ipc.unix_name,
            inherited=os.environ,
            log_level=files[0].level if files else "INFO",
            extra=extra,
        )
        findings = Findings()
        return Launcher(
            around=around,
            interpreters=Interpreters(options.pythons),
            tokens=self._tokens,
            reaper=self._reaper,
            homes=self._make_homes(findings),
            log_dir=options.state / "logs",
            log_space_bytes=space * 1024 if space else DEFAULT_SPACE_BYTES,
            findings=findings,
        )

    def _make_homes(self, findings: Findings) -> Homes:
        options = self._options
        return Homes(
            resources=self.group.resources,
            state=options.state.absolute(),
            identities=Identities(
                choice=options.function_user,
                insecure=options.insecure_core_user,
                find=findings.add,
            ),
            find=findings.add,
            forget=findings.forget,
            isolation=options.isolation,
            key_file=options.join,
        )

    def _make_supervisor(self) -> Supervisor:
        return Supervisor(
            self.group.lambdas,
            self.queues,
            self.launcher,
            on_ended=self._api.forget,
            observers=self._observers,
        )

    def _check_functions(self) -> None:
        """What can start starts; what cannot is a finding.

        Raises CoreError where no function at all finds its container: one remedy helps all.
        """
        self.launcher.settle(self.group.lambdas)
        uncontained = 0
        for function in self.group.lambdas:
            try:
                self.launcher.check(function)
            except (InterpreterError, IsolationError) as error:
                self.supervisor.block(function, str(error))
                uncontained += isinstance(error, IsolationError)
                if uncontained == len(self.group.lambdas):
                    raise CoreError(str(error)) from error

    async def _start_mqtt(self, kept: Mapping[str, int | None]) -> None:
        options = self._options
        if options.mqtt_port is not None:
            # cryptography: only who listens for certificates pays
            from edgecore.mqtt import ca
            from edgecore.mqtt.renewal import keep_renewed

            identity = await asyncio.to_thread(ca.ensure, options.state / "ca")
            context = server_context(
                certificate=identity.certificate, key=identity.key, members=self.group.devices
            )
            self._renewing.append(
                asyncio.ensure_future(keep_renewed(options.state / "ca", context))
            )
            server = self._mqtt_server("0.0.0.0", kept.get("mqtt") or options.mqtt_port, context)  # noqa: S104 - cameras are elsewhere
            await _listening(server.start(), "--mqtt-port")
            self.mqtt.append(server)
            await self._start_discovery(kept, server.port)
        if options.mqtt_plain_port is not None:
            port = kept.get("mqtt_plain") or options.mqtt_plain_port
            self._plain = self._mqtt_server("127.0.0.1", port, None)
            await _listening(self._plain.start(), "--mqtt-plain-port")
            self.mqtt.append(self._plain)

    async def _start_discovery(self, kept: Mapping[str, int | None], mqtt_port: int) -> None:
        """V1's discovery, beside the TLS listener that it names."""
        port = self._options.discovery_port
        if port is None:
            return
        from edgecore.mqtt import ca
        from edgecore.mqtt.discovery import DiscoveryServer, known_of
        from edgecore.mqtt.renewal import keep_renewed

        folder = self._options.state / "ca"
        context = server_context(
            certificate=folder / "server.pem",
            key=folder / "server-key.pem",
            members=self.group.devices,
        )
        self._discovery = DiscoveryServer(
            host="0.0.0.0",  # noqa: S104 - devices are elsewhere
            port=kept.get("discovery") or port,
            tls=context,
            members={thing.thing_name: thing for thing in self.group.devices},
            known=lambda: known_of(
                self.group, ca.local_addresses(), mqtt_port, (folder / "group-ca.pem").read_text()
            ),
        )
        await _listening(self._discovery.start(), "--discovery-port")
        self._renewing.append(asyncio.ensure_future(keep_renewed(folder, context)))

    def _mqtt_server(self, host: str, port: int, context: Any) -> MqttServer:
        members = {thing.thing_name: thing for thing in self.group.devices}
        return MqttServer(
            host=host, port=port, tls=context, members=members, on_publish=self._on_publish
        )

    async def _on_publish(self, thing: Thing, topic: str, payload: bytes) -> bool:
        """A device's message; True once it is where this core keeps it."""
        outcome = self.router.publish(thing.thing_arn, topic, payload)
        if outcome.pending:
            kept = await asyncio.gather(*outcome.pending, return_exceptions=True)
            if any(result is False or isinstance(result, BaseException) for result in kept):
                return False
        return not outcome.refused

    def become(self, group: Group) -> None:
        """The same group with another model: functions find it from their next start on."""
        self.group = group
        self.launcher.around = replace(self.launcher.around, group=group)
        self.launcher.homes.resources = group.resources
        self.supervisor.become(group.lambdas)

    async def stop(self) -> None:
        """Functions first, so that their last messages still find the router."""
        if hasattr(self, "supervisor"):
            await self.supervisor.stop()
        for renewing in self._renewing:
            renewing.cancel()
        if self._discovery is not None:
            await self._discovery.stop()
        for server in self.mqtt:
            await server.stop()
        await self.ipc.stop()


async def _listening(start: Any, argument: str) -> None:
    try:
        await start
    except OSError as error:
        raise CoreError(
            f"{argument}: cannot listen: {error.strerror or error}; "
            f"stop the process that uses the port, or pass another one (0 picks a free port)"
        ) from error
