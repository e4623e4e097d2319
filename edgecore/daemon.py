"""The core as a process: load, apply, run, poll for newer, stop. ``run`` is the entry."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import edgecore
from edgecore import deploy, sources
from edgecore.cloud.iot_sink import IotDataSink
from edgecore.cloud.local_sink import LocalSink
from edgecore.cloud.settings import spool_settings
from edgecore.cloud.sinks import Sink
from edgecore.cloud.spooler import Spooler
from edgecore.core import faults as fault_points
from edgecore.core.taps import Taps
from edgecore.dashboard.app import Dashboard, Ports
from edgecore.dashboard.ports import SiteView
from edgecore.engine import Engine
from edgecore.faults import BadLink, FaultPlan, HostilePlan, read_plan
from edgecore.files import StateLock, remove_core_json, write_core_json
from edgecore.http.app import make_app
from edgecore.http.exposure import exposure_of
from edgecore.http.server import HttpServer
from edgecore.metrics.registry import Metrics
from edgecore.operator import Operator
from edgecore.options import CoreError, Options
from edgecore.sources import LoadedGroup, SourceError
from edgecore.supervisor.process import Reaper

log = logging.getLogger(__name__)

HEALTH_LIMIT_S = 30.0
"""``postStartHealthCheckTimeout`` of the V1 core: what died by then is not healthy."""
HEALTH_STEP_S = 0.2
CREDENTIALS_LIFE = timedelta(hours=1)


def run(options: Options) -> int:
    """Run until SIGTERM or SIGINT; the exit code of docs/spec/core.md."""
    try:
        lock = StateLock(options.state)
    except CoreError as error:
        log.error("%s", error)  # noqa: TRY400 - the user's to mend, no traceback
        return error.exit_code
    try:
        return asyncio.run(Daemon(options).run())
    except (CoreError, SourceError) as error:
        log.error("%s", error)  # noqa: TRY400
        return error.exit_code
    finally:
        lock.release()


class Daemon:
    """Everything that outlives one deployment."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._taps = Taps()
        self._engine: Engine | None = None
        self._loaded: LoadedGroup | None = None
        self._history: list[dict[str, Any]] = []
        self._refused_deployment: str | None = None
        self._started = time.monotonic()
        self._token = secrets.token_urlsafe(24)
        self._http: HttpServer | None = None
        self._page: asyncio.Task[None] | None = None
        self._background: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Raises CoreError or SourceError where it cannot start."""
        self._stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._reaper = Reaper()
        try:
            await self._start()
            await self._stop.wait()
        finally:
            await self._shut_down()
        return 0

    async def _start(self) -> None:
        state = self._options.state
        self._plan = self._hostile()
        loaded = await self._first_group()
        self._open_cloud(loaded)
        await self._bind_http()
        self._loaded = deploy.apply(state, loaded)
        self._engine = await self._run_group(self._loaded)
        self._remember(self._loaded, "applied")
        self._start_http()
        self._write_facts()
        if self._options.poll_s > 0:
            self._background.append(asyncio.ensure_future(self._poll()))
        log.info("core runs group %s, ports %s", self._loaded.group.name, self._ports())

    def _hostile(self) -> FaultPlan | None:
        """Installs ``--faults``; None without. Raises CoreError for a wrong file."""
        if self._options.faults is None:
            return None
        plan = read_plan(self._options.faults)
        fault_points.install(HostilePlan(plan))
        log.warning("the core is hostile: fault plan %s, seed %d", self._options.faults, plan.seed)
        return plan

    async def _first_group(self) -> LoadedGroup:
        """The source's group; where the source is away, the one that ran last."""
        options = self._options
        try:
            return await self._load()
        except SourceError:
            last = await asyncio.to_thread(deploy.current, options.state)
            if last is None or not options.group.startswith("greengrass:"):
                raise
            log.exception("%s: running the last deployment instead", options.group)
            return last

    async def _load(self) -> LoadedGroup:
        options = self._options
        return await asyncio.to_thread(
            sources.load,
            options.group,
            state=options.state,
            endpoint_url=options.endpoint_url,
            region=options.region,
        )

    async def _run_group(
        self, loaded: LoadedGroup, ports: Mapping[str, int | None] | None = None
    ) -> Engine:
        engine = Engine(
            loaded.group,
            self._options,
            spooler=self._spooler,
            taps=self._taps,
            reaper=self._reaper,
            credentials=self._credentials,
        )
        try:
            await engine.start(ports)
        except BaseException:
            await engine.stop()
            raise
        return engine

    def _open_cloud(self, loaded: LoadedGroup) -> None:
        options = self._options
        try:
            settings = spool_settings(loaded.group)
        except ValueError as error:
            raise CoreError(str(error), exit_code=2) from error
        path = options.state / "spool.sqlite3" if settings.durable else None
        self._spooler = Spooler(path, max_bytes=settings.max_bytes, policy=settings.policy)
        sink: Sink = LocalSink(options.state / "cloud")
        if options.cloud == "iot":
            import boto3

            region = options.region or loaded.group.region
            sink = IotDataSink(
                boto3.client("iot-data", endpoint_url=options.endpoint_url, region_name=region)
            )
        if self._plan is not None:
            sink = BadLink(sink, self._plan)
        self._background.append(asyncio.ensure_future(self._spooler.run(sink)))

    def _credentials(self) -> Mapping[str, Any] | None:
        """The core's own, lent to its functions as V1's token exchange does."""
        key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        if not key or not secret:
            return None
        return {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": os.environ.get("AWS_SESSION_TOKEN", ""),
            "Expiration": (datetime.now(timezone.utc) + CREDENTIALS_LIFE).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        }

    async def _bind_http(self) -> None:
        if self._options.http_port is None:
            return
        self._exposure = exposure_of(self._options.web)
        self._http = HttpServer(self._options.http_port, self._options.web)
        try:
            self._http.bind()
        except OSError as error:
            self._http = None
            raise CoreError(
                f"--http-port {self._options.http_port}: {error.strerror}; "
                "stop who has it, or give another one (0: any free)"
            ) from error

    def _start_http(self) -> None:
        if self._http is None or self._loaded is None:
            return
        metrics = Metrics(self.status)
        view = SiteView.of_environments([f.environment for f in self._loaded.group.lambdas])
        ports = Ports(
            status=self, hub=cast(Any, self._taps), actions=Operator(lambda: self._engine)
        )
        web = self._options.web
        page = Dashboard(
            ports, view, token=self._token, read_only=web.read_only, on_results=metrics.observe
        )
        self._page = asyncio.ensure_future(page.run())
        self._http.start(make_app(self.status, metrics, self._taps, page.app, self._exposure))
        scheme = "https" if web.certificate else "http"
        log.info(
            "dashboard: %s://%s:%d/ (actions: add #token= and the token in core.json)",
            scheme,
            web.host,
            self._http.port,
        )

    async def _poll(self) -> None:
        """Ask for a newer deployment; a source that is away is asked again, not an error."""
        options = self._options
        while True:
            await asyncio.sleep(options.poll_s)
            try:
                newer = await asyncio.to_thread(
                    sources.check_newer,
                    options.group,
                    current=self._loaded.deployment_id if self._loaded else None,
                    endpoint_url=options.endpoint_url,
                    region=options.region,
                )
                if newer is not None and newer != self._refused_deployment:
                    await self._redeploy(newer)
            except (SourceError, CoreError) as error:
                log.warning("deployment: %s", error)
            except Exception:
                log.exception("polling for a deployment failed")

    async def _redeploy(self, deployment_id: str) -> None:
        """Exchange the group; go back where the new one is not healthy."""
        loaded = await self._load()
        old, ports = self._engine, self._ports()
        self._loaded = deploy.apply(self._options.state, loaded)
        self._engine = None
        if old is not None:
            await old.stop()
        try:
            self._engine = await self._run_group(self._loaded, ports)
            problem = await self._unhealthy(self._engine)
        except CoreError as error:
            problem = str(error)
        if problem is None:
            self._remember(self._loaded, "applied")
        else:
            await self._roll_back(deployment_id, problem, ports)
        self._write_facts()

    async def _roll_back(
        self, deployment_id: str, problem: str, ports: Mapping[str, int | None]
    ) -> None:
        log.error("deployment %s is rolled back: %s", deployment_id, problem)
        if self._engine is not None:
            failed, self._engine = self._engine, None
            await failed.stop()
        if self._loaded is not None:
            self._remember(self._loaded, "rolled back", problem)
        self._refused_deployment = deployment_id
        self._loaded = deploy.rollback(self._options.state)
        self._engine = await self._run_group(self._loaded, ports)

    async def _unhealthy(self, engine: Engine) -> str | None:
        """Why the new group is not healthy: a pinned function died before it ran. None: it is."""
        for _ in range(int(HEALTH_LIMIT_S / HEALTH_STEP_S)):
            pinned = [f for f in engine.supervisor.status() if f["pinned"]]
            died = [f for f in pinned if f["restarts"] or f["state"] in ("backoff", "crash_loop")]
            if died:
                return f"function {died[0]['id']}: {died[0]['last_error']}"
            if all(f["state"] == "running" for f in pinned):
                return None
            await asyncio.sleep(HEALTH_STEP_S)
        return None  # slow to start is not dead: a model may load for minutes

    def _remember(self, loaded: LoadedGroup, outcome: str, detail: str = "") -> None:
        entry = {"deployment": loaded.deployment_id, "t": time.time(), "outcome": outcome}
        self._history.append({**entry, "detail": detail} if detail else entry)

    def _ports(self) -> dict[str, int | None]:
        engine = self._engine.ports if self._engine is not None else {}
        return {**engine, "http": self._http.port if self._http is not None else None}

    def _write_facts(self) -> None:
        if self._loaded is None:
            return
        group = self._loaded.group
        facts = {
            "pid": os.getpid(),
            "ports": self._ports(),
            "thing": group.core.thing_name,
            "group": group.name,
            "version": group.version,
            "deployment": self._loaded.deployment_id,
            "token": self._token,
        }
        write_core_json(self._options.state, facts)

    def status(self) -> Mapping[str, Any]:
        """``GET /api/status`` (docs/spec/core.md)."""
        engine, loaded = self._engine, self._loaded
        group = loaded.group if loaded is not None else None
        return {
            "v": 1,
            "core": {
                "thing": group.core.thing_name if group else None,
                "version": edgecore.__version__,
                "uptime_s": round(time.monotonic() - self._started, 1),
                "pid": os.getpid(),
                "ports": self._ports(),
            },
            "group": {
                "name": group.name if group else None,
                "id": group.id if group else None,
                "version": group.version if group else None,
                "deployment": loaded.deployment_id if loaded else None,
                "applied_at": deploy.applied_at(self._options.state),
                "history": self._history[-20:],
            },
            "functions": engine.supervisor.status() if engine else [],
            "router": _router_status(engine),
            "mqtt": {"clients": [c for s in engine.mqtt for c in s.clients()] if engine else []},
            "cloud": self._spooler.stats(),
            "stats": self._taps.stats,
            "findings": self._findings(),
        }

    def _findings(self) -> list[str]:
        own = self._engine.launcher.findings if self._engine else []
        return [*(self._loaded.findings if self._loaded else ()), *own]

    async def _shut_down(self) -> None:
        if self._page is not None:
            self._page.cancel()  # ends the browsers' streams, else the server waits for them
            await asyncio.gather(self._page, return_exceptions=True)
        if self._http is not None and hasattr(self._http, "_task"):
            await self._http.stop()
        if self._engine is not None:
            await self._engine.stop()
        for task in self._background:
            task.cancel()
        for task in self._background:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if hasattr(self, "_spooler"):
            await self._spooler.close()
        self._reaper.close()
        remove_core_json(self._options.state)


def _router_status(engine: Engine | None) -> dict[str, int]:
    if engine is None:
        return {}
    counters = engine.router.counters
    return {
        "work_items": engine.budget.held,
        "limit": engine.budget.limit,
        "delivered": counters.delivered,
        "refused": counters.refused,
        "unrouted": counters.unrouted,
    }
