"""Where a camera's pictures come from: one spelling for the planner and the grabber.

`rtsp://{secret:cam1}@10.0.0.7/stream1`. What stands in braces is read on the device; neither a
template nor a group document nor a log ever holds it.
"""

from __future__ import annotations

import re
from typing import Callable
from urllib.parse import parse_qsl, quote, urlsplit

RTSP, HTTP, USB, GIGE = "rtsp", "http", "usb", "gige"
KINDS = {"rtsp": RTSP, "rtsps": RTSP, "http": HTTP, "https": HTTP, "v4l2": USB, "gige": GIGE}
SPELLINGS = (
    "rtsp://HOST/PATH, rtsps://…, http://HOST/PATH, https://…, v4l2:///dev/… or gige://ADDRESS"
)
#: Frames a second that a site may ask for.
MAX_FPS = 120.0
DEFAULT_FPS = 5.0
#: Pictures that are the same to the last bit for so long: the camera is frozen.
DEFAULT_FROZEN_S = 60.0

_SECRET = re.compile(r"\{secret:([^{}]*)\}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9._:/-]+\Z")
_TELLING = frozenset(("pwd", "password", "passwd", "pass", "token", "secret", "key", "apikey"))
# Stands for a secret while the address is taken apart: no character of it means anything there.
_STAND_IN = "SECRET"


def kind_of_source(source: str) -> str:
    """`RTSP`, `HTTP`, `USB` or `GIGE`; "" for a scheme that is none of them."""
    return KINDS.get(source.partition("://")[0].lower(), "")


def problems_of_source(source: str) -> list[str]:
    """What is wrong with it, one sentence each with its remedy; none holds a password."""
    kind = kind_of_source(source)
    if not kind:
        scheme = source.partition("://")[0][:20] if "://" in source else ""
        said = f"{scheme}:// is no kind of camera" if scheme else "it names no kind of camera"
        return [f"{said}; write {SPELLINGS}"]
    bad = [name for name in secrets_of(source) if not _SECRET_NAME.match(name)]
    found = [f"{{secret:{name}}}: name a secret by letters, digits, '.', '_', '-'" for name in bad]
    try:
        parts = urlsplit(_SECRET.sub(_STAND_IN, source))
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return [*found, f"its address cannot be read ({error}); write {SPELLINGS}"]
    if kind == USB:
        if host or not _DEVICE.match(parts.path) or ".." in parts.path.split("/"):
            found.append("name the device file, best v4l2:///dev/v4l/by-id/…")
        return found
    if not host:
        found.append(f"it names no host; write {SPELLINGS}")
    elif kind == GIGE and (parts.netloc != host or parts.path.strip("/") or parts.query):
        found.append("a GigE Vision camera is its address alone: write gige://10.0.0.9")
    if parts.password and _STAND_IN not in parts.password:
        found.append(
            "it holds a password, which would be in the template and the group document; write "
            "{secret:NAME} in its place and keep the password on the device"
        )
    for key, value in parse_qsl(parts.query):
        if key.lower() in _TELLING and _STAND_IN not in value:
            found.append(f"?{key}= holds a secret; write {{secret:NAME}} in its place")
    return found


def secrets_of(source: str) -> list[str]:
    """Names of the secrets that it needs, each once."""
    return list(dict.fromkeys(_SECRET.findall(source)))


def filled(source: str, read: Callable[[str], str]) -> str:
    """The address with its secrets, escaped for where they stand.

    A secret that is all there is before the `@` is `user:password`, any other a single value.
    """

    def value(match: re.Match[str]) -> str:
        secret = read(match.group(1))
        alone = source[: match.start()].endswith("//") and source[match.end() :].startswith("@")
        if not alone:
            return quote(secret, safe="")
        user, colon, password = secret.partition(":")
        return quote(user, safe="") + colon + quote(password, safe="")

    return _SECRET.sub(value, source)


def shown(source: str) -> str:
    """For people: scheme, host, port and path; never who logs in, never what is asked with."""
    parts = urlsplit(_SECRET.sub(_STAND_IN, source))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def device_file_of(source: str) -> str:
    """The device file of a USB camera; "" for the others."""
    return urlsplit(source).path if kind_of_source(source) == USB else ""
