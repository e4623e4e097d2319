"""A way through an HTTP proxy: CONNECT, with a name and a password where the URL has them."""

from __future__ import annotations

import http.client
import socket
from base64 import b64encode
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORT = 3128


class ProxyError(OSError):
    """The proxy is away, or does not let us through."""


def parts_of(url: str) -> SplitResult:
    """``http://[user:password@]host[:port]``, with or without the scheme."""
    return urlsplit(url if "//" in url else f"http://{url}")


def shown(url: str) -> str:
    """Without the password, for messages."""
    parts = parts_of(url)
    return f"{parts.hostname}:{parts.port or DEFAULT_PORT}"


def headers_of(url: str) -> dict[str, str]:
    """What a CONNECT to this proxy carries."""
    parts = parts_of(url)
    if not parts.username:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def tunnel(url: str, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to ``host:port``; the name is resolved by the proxy. Raises ProxyError."""
    parts = parts_of(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or DEFAULT_PORT, timeout=timeout_s
    )
    connection.set_tunnel(host, port, headers_of(url))
    try:
        connection.connect()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise ProxyError(str(error)) from error
    found: socket.socket = connection.sock
    return found
