"""Why a camera gives no pictures: one sentence and its remedy, never an address with a password."""

from __future__ import annotations

import re
from typing import Iterable

REMEDIES = {
    "no_secret": "Write it into that file, readable for the grabber alone",
    "unauthorized": "Correct the user and password in the camera's secret",
    "refused": "Is the camera on, and is the port right? Nothing listens there",
    "moved": "Write that address as the source",
    "certificate": "Add it, or the one that signed it, to the device's trusted ones "
    "(update-ca-certificates), or write http:// where the network is the cameras' own",
    "tls": "Write http:// if the camera has no TLS on this port; else renew its firmware",
    "not_found": "Correct the path of the source; the camera does not know it",
    "no_host": "Correct the host name, or the device's DNS",
    "no_route": "Check the cable, the switch and the address",
    "stalled": "Restart the camera if this goes on; the connection is opened again",
    "ended": "The connection is opened again",
    "unreadable": "Choose H.264, H.265 or Motion JPEG in the camera's settings",
    "no_aravis": "Install Aravis on the device (Debian: libaravis-0.8-0)",
    "no_gige": "Check its address (arv-tool-0.8 lists cameras), and that no other program has it",
    "pixel_format": "Choose Mono8 to Mono16, Bayer or RGB8 in the camera's settings",
    "no_device": "Plug the camera in, or name its file below /dev/v4l/by-id",
    "not_an_image": "Open the address in a browser: it must give a JPEG or Motion JPEG",
    "server": "See the camera's own log; it answered with an error",
    "broken": "See the function's log",
}
# FFmpeg's words, as it has written them since version 4.
_WORDS = (
    ("unauthorized", re.compile(r"\b40[13]\b.*(unauthori|forbidden)|authorization failed", re.I)),
    ("not_found", re.compile(r"\b40[04]\b", re.I)),
    ("server", re.compile(r"\b5\d\d\b.*(error|unavailable)|server returned 5", re.I)),
    ("refused", re.compile(r"connection refused", re.I)),
    ("no_host", re.compile(r"failed to resolve", re.I)),
    ("no_route", re.compile(r"no route to host|network is unreachable", re.I)),
    ("stalled", re.compile(r"timed out", re.I)),
    ("unreadable", re.compile(r"could not find codec|invalid data|unsupported codec", re.I)),
)


class CameraError(Exception):
    """`code` is a key of `REMEDIES`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{detail}. {REMEDIES[code]}.")
        self.code = code


def of_ffmpeg(lines: Iterable[str], otherwise: CameraError) -> CameraError:
    """The cause as FFmpeg told it; `otherwise` where it said nothing that is known."""
    for line in lines:
        for code, words in _WORDS:
            if words.search(line):
                return CameraError(code, _SAID[code])
    return otherwise


_SAID = {
    "unauthorized": "the camera refuses the user or password",
    "not_found": "the camera has no such stream (404)",
    "server": "the camera cannot start the stream",
    "refused": "connection refused",
    "no_host": "the host name is unknown",
    "no_route": "there is no way to the camera",
    "stalled": "the camera does not answer",
    "unreadable": "the stream is in no format that can be read",
}


def of_http(status: int) -> CameraError:
    """The cause of an HTTP status that is not 200."""
    if status in (401, 403):
        return CameraError("unauthorized", _SAID["unauthorized"])
    if status == 404:
        return CameraError("not_found", "the camera has no such page (404)")
    return CameraError("server", f"the camera answers with HTTP {status}")
