"""The door: in front of moto, which lets anybody in.

A request needs a Host that is this machine's own, no Origin (a browser sends one, an SDK never
does), and a signature by a key of this run. Nothing here answers a CORS preflight.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any
from xml.sax.saxutils import escape

from devcloud.auth.keys import Holder, Keyring
from devcloud.auth.permissions import permit
from devcloud.auth.signature import Request, SignatureRefused, claim_of, verify

LARGEST_BODY = 2 * 1024**3
_HOST = re.compile(r"(?:[a-z0-9.-]+\.)?localhost|127\.0\.0\.1")
_NOT_HTTP = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


class AuthMiddleware:
    """WSGI middleware."""

    def __init__(self, application: Application, keyring: Keyring, port: int) -> None:
        self._application = application
        self._keyring = keyring
        self._port = str(port)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            self._refuse_strangers(environ)
            request = request_of(environ)
            claim = claim_of(request)
            now = datetime.now(timezone.utc)
            holder = self._keyring.holder(claim.key_id, claim.token, now)
            verify(request, claim, holder.secret, now)
            self._refuse_beyond_role(holder, claim.service, request)
        except SignatureRefused as error:
            return refuse(environ, start_response, error)
        return self._application(environ, start_response)

    def _refuse_strangers(self, environ: Environ) -> None:
        host, _, port = environ.get("HTTP_HOST", "").lower().partition(":")
        if not _HOST.fullmatch(host) or port != self._port:
            raise SignatureRefused(
                "AccessDenied", f"Host {environ.get('HTTP_HOST', '')!r} is not this cloud"
            )
        if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_MODE"):
            raise SignatureRefused("AccessDenied", "requests from a web page are refused")

    def _refuse_beyond_role(self, holder: Holder, service: str, request: Request) -> None:
        if holder.role_arn is not None:
            permit(holder, service, request)


def request_of(environ: Environ) -> Request:
    """The request as it was sent; its body is read and put back."""
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ.get("PATH_INFO", "/")
    path, _, query = re.sub(r"\Ahttps?://[^/]+", "", raw).partition("?")
    headers = {
        name[5:].lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    headers |= {own: environ[name] for name, own in _NOT_HTTP.items() if environ.get(name)}
    for name in (environ.get("moto.preserved_header_names") or {}).values():
        headers[name.lower()] = headers.get(name.lower().replace("_", "-"), "")
    return Request(environ["REQUEST_METHOD"], path, query, headers, _body(environ))


def _body(environ: Environ) -> bytes:
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        body = environ["wsgi.input"].read(LARGEST_BODY)
    else:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
            raise SignatureRefused("InvalidRequest", f"Content-Length {length!r}")
        body = environ["wsgi.input"].read(int(length)) if int(length) else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)


def refuse(environ: Environ, start_response: Any, error: SignatureRefused) -> Iterable[bytes]:
    """In the words of whatever protocol the client speaks, so that its SDK reads the code."""
    kind = str(environ.get("CONTENT_TYPE", "")).lower()
    code, message = error.code, str(error)
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if "urlencoded" in kind:
        body = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error></ErrorResponse>"
        kind = "text/xml"
    elif "/s3/" in str(environ.get("HTTP_AUTHORIZATION", "")):
        body, kind = f"<Error>{inner}</Error>", "application/xml"
    else:
        body, kind = json.dumps({"__type": code, "message": message}), "application/json"
    answer = body.encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(answer))),
        ("x-amzn-ErrorType", code),
        ("Connection", "close"),
    ]
    start_response("403 Forbidden", headers)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [answer]
