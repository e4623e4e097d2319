"""Snapshots and Motion JPEG over HTTP: the camera's own bytes, not encoded again.

The answer's content type tells which it is. Basic and Digest are the standard library's.
"""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Callable, Iterator
from urllib.parse import unquote, urlsplit, urlunsplit

from contract.image_kinds import kind_of
from contract.refused_kinds import refusal
from lambdas.grabber.errors import CameraError, of_http
from lambdas.grabber.frames import Frame
from lambdas.grabber.parts import TooLongError, parts

MAX_BYTES = 64 << 20


def frames(address: str, stall_s: float, wanted: Callable[[], None]) -> Iterator[Frame]:
    """Parts as the camera sends them, or a snapshot each time that one is `wanted`.

    Raises `CameraError`.
    """
    opener, url = _opener(address)
    while True:
        try:
            with opener.open(url, timeout=stall_s) as answer:
                if answer.headers.get_content_maintype() == "multipart":
                    boundary = answer.headers.get_boundary() or ""
                    for part in parts(answer, boundary, MAX_BYTES):
                        yield _frame(part)
                    raise CameraError("ended", "the camera ended the stream")
                yield _frame(answer.read(MAX_BYTES + 1))
        except urllib.error.HTTPError as error:
            raise of_http(error.code) from None
        except TooLongError:
            limit = f"more than {MAX_BYTES >> 20} MB"
            raise CameraError("not_an_image", f"a part of the stream has {limit}") from None
        except (OSError, ValueError, HTTPException) as error:
            raise _cause(error, stall_s) from None
        wanted()


def _opener(address: str) -> tuple[Any, str]:
    """Who opens, and the address without who logs in: no error's text can hold it."""
    split = urlsplit(address)
    url = urlunsplit(split._replace(netloc=split.netloc.rpartition("@")[2]))
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if split.username is not None:
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, url, unquote(split.username), unquote(split.password or ""))
        handlers += [
            urllib.request.HTTPDigestAuthHandler(known),
            urllib.request.HTTPBasicAuthHandler(known),
        ]
    return urllib.request.build_opener(*handlers), url


def _frame(answer: bytes) -> Frame:
    content = answer.lstrip(b"\r\n")
    if kind_of(content) is None:
        raise CameraError("not_an_image", f"the camera's answer: {refusal(content)[1]}")
    return Frame(time.time(), encoded=content)


def _cause(error: Exception, stall_s: float) -> CameraError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.gaierror):
        return CameraError("no_host", "the host name is unknown")
    if isinstance(reason, ConnectionRefusedError):
        return CameraError("refused", "connection refused")
    if isinstance(reason, socket.timeout):
        return CameraError("stalled", f"no answer for {stall_s:g} s")
    if isinstance(reason, ConnectionError) or isinstance(error, HTTPException):
        return CameraError("ended", "the camera ended the connection")
    if isinstance(reason, OSError):
        return CameraError("no_route", f"the camera cannot be reached ({reason.strerror})")
    return CameraError("unauthorized", "the camera asks for a login that is not Basic or Digest")
