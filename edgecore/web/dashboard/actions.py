"""What the page may do; every answer has a message for the operator. Who may: access/rights.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from contract.image_kinds import BMP, LABELS, kind_of
from contract.limits import MESSAGE_BYTES
from contract.topic_filters import filter_problem, topic_problem
from contract.topics import Topics
from edgecore.web.access.bodies import BadRequestError, body_of, json_of, text_of
from edgecore.web.access.guard import note_detail
from edgecore.web.dashboard.ports import ActionRefusedError, Actions, MessageHub, SiteView
from edgecore.web.regions.proposal import proposal_of

MAX_MESSAGE_BYTES = MESSAGE_BYTES.value
"""AWS IoT's limit for a device message, docs/spec/messages.md."""
BODY_BYTES = 2 * MAX_MESSAGE_BYTES
"""A message and a little JSON around it."""
FOLLOW_CAPACITY = 256
FOLLOW_SHOWN_BYTES = 4096

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class ActionRoutes:
    """Routes below ``/api/actions``; refused in read-only mode."""

    actions: Actions
    hub: MessageHub
    view: Callable[[], SiteView]
    read_only: bool = False

    @property
    def offered(self) -> list[str]:
        if self.read_only:
            return []
        more = {"follow"}
        if self.view().site:
            more |= {"propose-regions"}
            more |= {"test-image"} if "publish" in self.actions.offered else set()
        return sorted({*self.actions.offered, *more})

    def routes(self) -> list[Route]:
        handlers: dict[str, Handler] = {
            "restart": self._restart,
            "drain": self._drain,
            "publish": self._publish,
            "test-image": self._test_image,
            "follow": self._follow,
            "propose-regions": self._propose_regions,
            "acknowledge": self._acknowledge,
            "test-alerts": self._test_alerts,
        }
        return [
            Route(f"/{name}", self._offered_only(name, handler), methods=["POST"])
            for name, handler in handlers.items()
        ]

    def _offered_only(self, name: str, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if self.read_only:
                return _result("This core runs read-only: actions are off.", 403)
            if name not in self.offered:
                return _result(f"This core does not offer {name!r}.", 404)
            try:
                return await handler(request)
            except BadRequestError as error:
                return _result(str(error), 400)
            except ActionRefusedError as error:
                return _result(str(error), 409)

        return guarded

    async def _restart(self, request: Request) -> Response:
        function_id = text_of(await _json(request), "function")
        await self.actions.restart(function_id)
        return _result(f"Restarting {function_id}.")

    async def _drain(self, request: Request) -> Response:
        body = await _json(request)
        on, workers = body.get("on"), body.get("workers")
        if not isinstance(on, bool):
            raise BadRequestError(f"'on' is {on!r}: expected true or false")
        if workers is not None and not _are_names(workers):
            raise BadRequestError(
                f"'workers' is {workers!r:.80}: expected a list of worker names, or null"
            )
        await self.actions.drain(on, workers)
        who = "all workers" if workers is None else ", ".join(workers)
        rest = (
            "work in progress is finished, no new work is dispatched"
            if on
            else "work is dispatched again"
        )
        return _result(f"Asked for {who}: {rest}.")

    async def _acknowledge(self, request: Request) -> Response:
        alert = text_of(await _json(request), "alert")
        await self.actions.acknowledge(alert)
        return _result(f"Acknowledged {alert}: it is not sent again while it lasts.")

    async def _propose_regions(self, request: Request) -> Response:
        """A piece of the site file, and a line of the audit log; nothing else comes of it."""
        view, body = self.view(), await _json(request)
        try:
            proposal = proposal_of(view.site, view.regions_of_all, body)
        except ValueError as error:
            raise BadRequestError(str(error)) from None
        note_detail(request.scope, {**body, "proposal": proposal.regions.name})
        said = f"Proposal {proposal.regions.name} for {proposal.camera}"
        same = "" if proposal.changes else ", which is what runs already"
        return _result(
            f"{said}{same}: put it into the site file and deploy. Nothing has changed here.",
            proposal=proposal.regions.name, file=proposal.file_name, yaml=proposal.yaml,
        )  # fmt: skip

    async def _test_alerts(self, _request: Request) -> Response:
        found = await self.actions.test_alerts()
        said = "; ".join(f"{way}: {problem or 'sent'}" for way, problem in found.items())
        status = 502 if any(found.values()) else 200
        ways = [{"name": way, "problem": problem or None} for way, problem in found.items()]
        return _result(f"Test of {said}.", status, ways=ways)

    async def _publish(self, request: Request) -> Response:
        body = await _json(request)
        topic = _topic(text_of(body, "topic"))
        payload = text_of(body, "payload").encode()
        source = body.get("as")
        if source is not None and not isinstance(source, str):
            raise BadRequestError(f"'as' is {source!r:.80}: expected cloud or a thing's name")
        return await self._send(topic, payload, source)

    async def _test_image(self, request: Request) -> Response:
        camera = request.query_params.get("camera", "")
        view = self.view()
        if camera not in view.cameras:
            known = ", ".join(view.cameras)
            raise BadRequestError(
                f"camera {camera!r} does not exist at this site; cameras: {known}"
            )
        content = await body_of(request, BODY_BYTES, MAX_MESSAGE_BYTES)
        note_detail(request.scope, {"camera": camera, "bytes": len(content)})
        if kind_of(content) is None:
            raise BadRequestError(f"not an image: send {LABELS}")
        return await self._send(Topics(view.site).images(camera), content)

    async def _send(self, topic: str, payload: bytes, source: str | None = None) -> Response:
        if len(payload) > MAX_MESSAGE_BYTES:
            raise BadRequestError(
                f"{len(payload)} bytes, limit {MAX_MESSAGE_BYTES}: send a smaller message, or "
                "the name of a file"
            )
        targets = await self.actions.publish(topic, payload, source)
        if not targets:
            who = source or "the console"
            return _result(f"No subscription takes {topic} from {who}.", 409)
        return _result(f"Published {len(payload)} bytes on {topic} to {targets} target(s).")

    async def _follow(self, request: Request) -> Response:
        """Messages as JSON Lines until the browser stops reading."""
        topic_filter = text_of(await _json(request), "filter")
        if problem := filter_problem(topic_filter):
            raise BadRequestError(problem)
        return StreamingResponse(self._lines(topic_filter), media_type="application/jsonl")

    async def _lines(self, topic_filter: str) -> AsyncIterator[bytes]:
        yield b"\n"  # The answer starts now, not with the first message.
        async for message in self.hub.listen([topic_filter], FOLLOW_CAPACITY):
            shown = message.payload[:FOLLOW_SHOWN_BYTES]
            line = {
                "t": message.t,
                "topic": message.topic,
                "source": message.source,
                "bytes": len(message.payload),
                "payload": shown.decode(errors="replace") if _is_text(shown) else None,
            }
            yield json.dumps(line).encode() + b"\n"


def _are_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(x, str) for x in value)


def _is_text(payload: bytes) -> bool:
    return b"\0" not in payload and kind_of(payload) in (None, BMP)


def _result(text: str, status: int = 200, **more: Any) -> JSONResponse:
    return JSONResponse({"ok": status < 300, "message": text, **more}, status_code=status)


async def _json(request: Request) -> dict[str, Any]:
    return await json_of(request, BODY_BYTES, MAX_MESSAGE_BYTES)


def _topic(topic: str) -> str:
    if problem := topic_problem(topic):
        raise BadRequestError(problem)
    return topic
