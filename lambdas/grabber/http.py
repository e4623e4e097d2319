"""Snapshots and Motion JPEG over HTTP: the camera's own bytes, not encoded again.

The answer's content type tells which it is.
"""

from __future__ import annotations

import socket
import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Callable, Iterator
from urllib.parse import unquote, urlsplit, urlunsplit

from contract.camera_sources import shown
from contract.image_kinds import kind_of
from contract.refused_kinds import refusal
from lambdas.grabber.digest import DigestLogin
from lambdas.grabber.errors import CameraError, of_http
from lambdas.grabber.frames import Frame
from lambdas.grabber.parts import TooLongError, parts, whole

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
                yield _frame(_snapshot(answer))
        except urllib.error.HTTPError as error:
            raise _refused(error, url) from None
        except TooLongError:
            limit = f"more than {MAX_BYTES >> 20} MB"
            raise CameraError("not_an_image", f"a picture of the camera has {limit}") from None
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
            DigestLogin(known),
            urllib.request.HTTPBasicAuthHandler(known),
        ]
    return urllib.request.build_opener(*handlers), url


def _snapshot(answer: Any) -> bytes:
    content = whole(answer, answer.length, MAX_BYTES)
    if content is None:
        raise CameraError("ended", "the camera ended the connection within a picture")
    return content


def _refused(error: urllib.error.HTTPError, url: str) -> CameraError:
    """A login goes to the source's own scheme, host and port alone, wherever it is sent on to."""
    if error.code == 401 and urlsplit(error.url)[:2] != urlsplit(url)[:2]:
        return CameraError(
            "moved", f"the camera sends on to {shown(error.url)}, which asks for a login"
        )
    return of_http(error.code)


def _frame(answer: bytes) -> Frame:
    content = answer.lstrip(b"\r\n")
    if kind_of(content) is None:
        raise CameraError("not_an_image", f"the camera's answer: {refusal(content)[1]}")
    return Frame(time.time(), encoded=content)


def _cause(error: Exception, stall_s: float) -> CameraError:  # noqa: PLR0911 - a table
    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.gaierror):
        return CameraError("no_host", "the host name is unknown")
    if isinstance(reason, ssl.SSLError):
        return _of_tls(reason)
    if isinstance(reason, ConnectionRefusedError):
        return CameraError("refused", "connection refused")
    if isinstance(reason, socket.timeout):
        return CameraError("stalled", f"no answer for {stall_s:g} s")
    if isinstance(reason, ConnectionError) or isinstance(error, HTTPException):
        return CameraError("ended", "the camera ended the connection")
    if isinstance(reason, OSError):
        return CameraError("no_route", f"the camera cannot be reached ({reason.strerror})")
    return CameraError("unauthorized", "the camera asks for a login that is not Basic or Digest")


def _of_tls(error: ssl.SSLError) -> CameraError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return CameraError("certificate", f"the device does not trust its certificate ({why})")
    return CameraError("tls", f"no TLS connection comes about ({error.reason})")
