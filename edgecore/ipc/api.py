"""What each IPC request means (docs/spec/ipc.md); runs inside the event loop, never blocks."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from itertools import chain
from typing import Any, Protocol

from edgecore.core.arns import ROUTER_ARN, SECRETS_ARN, SHADOW_ARN, ArnIndex
from edgecore.core.results import Results
from edgecore.core.router import QueueFullPolicy, Router
from edgecore.core.workqueue import HANDLED, UNHANDLED, WorkItem, WorkQueue, new_invocation_id
from edgecore.ipc.contexts import is_context, publication
from edgecore.ipc.http1 import Request, response
from edgecore.ipc.protocol import (
    MOST_ITEMS,
    Abandon,
    invocation_id_of,
    item_headers,
    json_object,
    log_lines,
    most_items,
    ok,
    respond,
)
from edgecore.ipc.server import Answer
from edgecore.ipc.tokens import Caller, Tokens

log = logging.getLogger(__name__)

ROOT = "/2016-11-01/"
FUNCTIONS = f"{ROOT}functions/"
NOT_SPOOLED = (
    "the message was not spooled for the cloud: the spool or its disk has no room or fails "
    "(`cloud.refused_by_reason` in the core's status says which); publish it again later"
)


class Workers(Protocol):
    """What the supervisor wants to hear, and knows."""

    def polled(self, worker: str) -> None: ...
    def answered(self, worker: str) -> None: ...
    def initialized(self, worker: str, success: bool, message: str) -> None: ...
    def log_lines(self, worker: str, lines: list[str]) -> None: ...
    def health(self) -> list[dict[str, Any]]: ...


Secrets = Callable[[str, bytes], Awaitable[bytes]]
"""The answer to a function's ARN and its request (`edgecore.core.secrets`)."""


class Shadows(Protocol):
    def invoke(self, topic: str, payload: bytes) -> bytes:
        """Answer of a ``$aws/things/…/shadow/{get|update|delete}`` request."""


class IpcApi:
    """The handler that IpcServer calls."""

    def __init__(  # noqa: PLR0913 - the seams, each named
        self,
        *,
        router: Router,
        queues: Mapping[str, WorkQueue],
        tokens: Tokens,
        shadows: Shadows,
        credentials: Callable[[], Awaitable[Mapping[str, Any]]],
        secrets: Secrets,
    ) -> None:
        self._router = router
        self._queues = queues
        self._arns = ArnIndex(tuple(queues))
        self._tokens = tokens
        self._workers: Workers
        self._shadows = shadows
        self._credentials = credentials
        self._secrets = secrets
        self._results = Results()
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, workers: Workers) -> None:
        """Before the first worker starts: the supervisor needs this object's ``forget``."""
        self._workers = workers

    def forget(self, worker: str) -> None:
        """A worker is gone: nobody will fetch the answers to its invocations."""
        self._results.forget_owner(worker)

    def handle(self, request: Request, answer: Answer) -> Abandon:
        token = request.headers.get(b"authorization")
        if token is None:
            return respond(answer, 401, "no Authorization header")
        caller = self._tokens.caller(token)
        if caller is None:
            return respond(answer, 403, "token is not of a running function")
        path = request.path
        if path.startswith(FUNCTIONS):
            return self._functions(request, path[len(FUNCTIONS) :], caller, answer)
        return self._others(request, path.rstrip("/"), caller, answer)

    def _functions(  # noqa: PLR0911 - one return per call of the protocol
        self, request: Request, rest: str, caller: Caller, answer: Answer
    ) -> Abandon:
        arn, _, verb = rest.partition("/")
        if verb == "work":
            if arn != caller.function_arn:
                return respond(answer, 403, f"{caller.function_arn} may not serve {arn}")
            if request.method == "GET":
                return self._get_work(request, caller, answer)
            if request.method == "POST":
                return self._post_result(request, caller, answer)
        elif verb == "" and request.method == "POST":
            return self._post_work(request, arn, caller, answer)
        elif verb == "" and request.method == "GET":
            return self._get_result(request, caller, answer)
        elif verb == "initialized" and request.method == "PUT" and arn == caller.function_arn:
            reported = json_object(request.body)
            self._workers.initialized(
                caller.worker,
                reported.get("Success") is not False,
                str(reported.get("Response", "")),
            )
            return ok(answer)
        return respond(answer, 404, f"no such call: {request.method} {request.path}")

    def _get_work(self, request: Request, caller: Caller, answer: Answer) -> Abandon:
        queue = self._queues[caller.function_arn]

        def take(item: WorkItem, *more: WorkItem) -> None:
            count = f"X-Fanfold-Items: {len(more) + 1}\r\n" if more else ""
            behind = (response(200, each.payload, item_headers(each)) for each in more)
            answer(200, item.payload, item_headers(item) + count, chain.from_iterable(behind))

        self._workers.polled(caller.worker)
        queue.fetch(caller.worker, take, most_items(request))
        return partial(queue.stop_waiting, caller.worker, take)

    def _post_result(self, request: Request, caller: Caller, answer: Answer) -> Abandon:
        error = request.headers.get(b"x-amz-function-error", b"").decode("latin-1")
        if error and error != UNHANDLED:
            error = HANDLED
        self._workers.polled(caller.worker)
        queue = self._queues[caller.function_arn]
        unknown = []
        for invocation_id in invocation_id_of(request).split(",")[:MOST_ITEMS]:
            if queue.finish(invocation_id, caller.worker, request.body, error):
                self._workers.answered(caller.worker)
            else:
                unknown.append(invocation_id)
        if unknown:
            named = ", ".join(map(repr, unknown))
            return respond(answer, 404, f"invocation {named} is not assigned to this worker")
        return ok(answer)

    def _post_work(self, request: Request, arn: str, caller: Caller, answer: Answer) -> Abandon:
        context = request.headers.get(b"x-amz-client-context", b"").decode("latin-1")
        if arn == ROUTER_ARN:
            return self._publish(request, context, caller, answer)
        if arn == SHADOW_ARN:
            return self._shadow(request, context, caller, answer)
        if arn == SECRETS_ARN:
            return self._finish_later(self._answer_secret(request, caller, answer))
        target = self._arns.find(arn)
        if target is None:
            return respond(answer, 404, f"function {arn} is not in the group")
        return self._invoke(request, target, context, caller, answer)

    def _invoke(
        self, request: Request, target: str, context: str, caller: Caller, answer: Answer
    ) -> Abandon:
        if context and not is_context(context):
            return respond(answer, 400, "X-Amz-Client-Context is not base64 of JSON")
        wants_result = request.headers.get(b"x-amz-invocation-type") != b"Event"
        item = WorkItem(new_invocation_id(), request.body, context)
        if wants_result:
            item.reply = self._results.expect(item.invocation_id, caller.worker)
        if not self._queues[target].offer(item):
            return respond(answer, 429, self._full())
        return ok(answer, item.invocation_id)

    def _publish(self, request: Request, context: str, caller: Caller, answer: Answer) -> Abandon:
        try:
            source, topic, policy = publication(context)
        except ValueError as error:
            return respond(answer, 400, str(error))
        if source and source != caller.function_arn:
            return respond(answer, 403, f"{caller.function_arn} may not publish as {source}")
        outcome = self._router.publish(caller.function_arn, topic, request.body, policy)
        if outcome.refused and policy == "AllOrError":
            return respond(answer, 429, self._full())
        if outcome.pending:
            return self._answer_after(outcome.pending, policy, answer)
        return ok(answer, new_invocation_id())

    def _answer_after(
        self, pending: list[Awaitable[object]], policy: QueueFullPolicy, answer: Answer
    ) -> Abandon:
        """When the spool has it. A publisher that wants to know is told when it has not."""

        async def finish() -> None:
            kept = True
            for outcome in await asyncio.gather(*pending, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    log.error("a message could not be spooled for the cloud: %s", outcome)
                kept = kept and outcome is not False and not isinstance(outcome, BaseException)
            if kept or policy == "BestEffort":
                ok(answer, new_invocation_id())
            else:
                respond(answer, 429, NOT_SPOOLED)

        return self._finish_later(finish())

    async def _answer_credentials(self, answer: Answer) -> None:
        try:
            credentials = await self._credentials()
        except LookupError as error:
            respond(answer, 404, str(error))
        else:
            answer(200, json.dumps(credentials).encode(), "Content-Type: application/json\r\n")

    def _finish_later(self, answering: Coroutine[Any, Any, None]) -> Abandon:
        task = asyncio.ensure_future(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None

    def _shadow(self, request: Request, context: str, caller: Caller, answer: Answer) -> Abandon:
        try:
            topic = publication(context)[1]
        except ValueError as error:
            return respond(answer, 400, str(error))
        invocation_id = new_invocation_id()
        fill = self._results.expect(invocation_id, caller.worker)
        fill(self._shadows.invoke(topic, request.body), "")
        return ok(answer, invocation_id)

    async def _answer_secret(self, request: Request, caller: Caller, answer: Answer) -> None:
        invocation_id = new_invocation_id()
        fill = self._results.expect(invocation_id, caller.worker)
        fill(await self._secrets(caller.function_arn, request.body), "")
        ok(answer, invocation_id)

    def _get_result(self, request: Request, caller: Caller, answer: Answer) -> Abandon:
        invocation_id = invocation_id_of(request)

        def deliver(payload: bytes, error: str) -> None:
            answer(200, payload, f"X-Amz-Function-Error: {error}\r\n" if error else "")

        if not self._results.fetch(invocation_id, caller.worker, deliver):
            return respond(
                answer, 404, f"no result for an invocation {invocation_id!r} of this function"
            )
        return None

    def _others(self, request: Request, path: str, caller: Caller, answer: Answer) -> Abandon:
        if path == f"{ROOT}cloudwatch/logs" and request.method == "POST":
            self._workers.log_lines(caller.worker, log_lines(request.body))
            return ok(answer)
        if path == f"{ROOT}credentialprovider" and request.method == "GET":
            return self._finish_later(self._answer_credentials(answer))
        if path == f"{ROOT}health/workers":
            body = json.dumps(self._workers.health()).encode()
            answer(200, body, "Content-Type: application/json\r\n")
            return None
        return respond(answer, 404, f"no such call: {request.method} {path}")

    def _full(self) -> str:
        limit = self._router.budget.limit
        return f"the core's queue is full (limit {limit} items): publish again later"
