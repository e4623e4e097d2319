"""Whether a request means this core, and comes from its own page. Pure."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def host_name(host: str) -> str:
    """``[::1]:8080`` → ``::1``; ``localhost:8080`` → ``localhost``."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def same_origin(headers: Headers, hosts: Collection[str]) -> bool:
    """``Origin: null`` (a sandboxed frame, a file) is foreign too."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in {"same-origin", "none"}
    scheme, _, authority = origin.partition("://")
    same = authority == headers.get("host", "")
    return scheme in {"http", "https"} and same and host_name(authority) in hosts


def follows_a_link(method: str, headers: Headers) -> bool:
    """Somebody opened an address of a mail or of another page, in a window of its own."""
    return (
        method == "GET"
        and "origin" not in headers
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
