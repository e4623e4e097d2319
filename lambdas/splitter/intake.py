"""What a camera sent: an image or an event naming images, told apart by content.

Nothing here changes state; `read_event` looks at files only where they have no id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from typing import Any, NamedTuple

from contract.image_kinds import kind_of
from contract.messages import (
    MAX_MESSAGE_BYTES,
    MAX_PATH_BYTES,
    MessageError,
    Payload,
    Record,
    decode,
    utf8,
)
from contract.refused_kinds import refusal
from contract.volumes import OWN_FOLDER
from lambdas.common import paths
from lambdas.imaging.rules import MAX_BYTES, rules_of


def _limit() -> int:
    try:
        return rules_of(os.environ.get("FANFOLD_PICTURES", "")).max_bytes
    except (TypeError, ValueError):
        return MAX_BYTES  # the workers do not start then, and say why


#: One limit for all parts: what a worker would refuse is not accepted.
MAX_IMAGE_BYTES = _limit()
MAX_JOB_CHARS = 64
# Names that have these are written otherwise in records (`shown_path`): JSON escapes them with six
# bytes each, and a lone surrogate, which stands for a byte that is no UTF-8, is no text.
_ODD = re.compile("[\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}\Z")


class Event(NamedTuple):
    """`content` is set for an image that came inside the message, `digest` is its SHA-256; then
    `files` is empty. `files`: as Python names them (PEP 383); `odd`: of one or more the records'
    name may be another (`shown_path`)."""

    id: str
    files: list[str]
    content: bytes | None = None
    suffix: str = ""
    job: str | None = None
    last: bool = False
    ts: Any = None
    manifest: bool = False
    digest: str = ""
    odd: bool = False

    @property
    def images(self) -> int:
        """How many it brings."""
        return 1 if self.content is not None else len(self.files)


def read_event(payload: Payload, images_dir: str) -> Event:
    """Understand one payload. Raises `MessageError` with a reason of the closed set."""
    if isinstance(payload, dict):
        return _read_json(payload, images_dir)
    if not isinstance(payload, (bytes, bytearray, str)):
        raise MessageError("malformed", f"not a JSON object but {type(payload).__name__}")
    raw = utf8(payload) if isinstance(payload, str) else bytes(payload)
    if len(raw) > MAX_MESSAGE_BYTES:
        raise MessageError("too_large", f"{len(raw)} bytes, limit {MAX_MESSAGE_BYTES}: send a file")
    kind = None if raw[:1] == b"{" else kind_of(raw)
    if kind:
        digest = hashlib.sha256(raw).hexdigest()
        return Event(_content_id(digest), [], raw, kind.suffix, digest=digest)
    if raw.lstrip()[:1] in (b"{", b"["):
        return _read_json(raw, images_dir)
    reason, detail = refusal(raw)
    raise MessageError(reason, f"no JSON object, and as an image: {detail}")


def claimed_id(payload: Payload) -> str:
    """The id that a refusal must carry, as far as the payload tells; else an empty one."""
    try:
        if isinstance(payload, (bytes, bytearray, str)):
            raw = utf8(payload) if isinstance(payload, str) else bytes(payload)
            if kind_of(raw):
                return _content_id(hashlib.sha256(raw).hexdigest())
            payload = raw
        given = decode(payload).get("id")
    except MessageError:
        return ""
    return given if isinstance(given, str) and _ID.match(given) else ""


def file_id(images_dir: str, files: list[str]) -> str:
    """The id of files that nobody named: their paths, sizes, times of change and inodes.

    Raises `OSError` where the machine cannot tell.
    """
    digest = hashlib.sha256()
    for name in files:
        try:
            status = paths.stat_inside(images_dir, name, MAX_IMAGE_BYTES)
            mark = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
        except paths.PathError as error:
            mark = error.reason
        digest.update(f"{name}\0{mark}\0".encode("utf-8", "surrogatepass"))
    return "file:" + digest.hexdigest()[:32]


def _read_json(payload: Payload, images_dir: str) -> Event:
    message = _decoded(payload)
    given = message.get("id")
    if given is not None and not (isinstance(given, str) and _ID.match(given)):
        raise MessageError("malformed", f"id is {given!r:.80}, use {_ID.pattern[:-2]}")
    common = {"job": _job(message), "last": _flag(message, "last"), "ts": _stamp(message)}
    forms = [key for key in ("file", "files", "image_b64") if key in message]
    if len(forms) != 1:
        raise MessageError("malformed", "give exactly one of file, files, image_b64")
    if forms[0] == "image_b64":
        content, suffix = _inline(message["image_b64"])
        digest = hashlib.sha256(content).hexdigest()
        return Event(given or _content_id(digest), [], content, suffix, digest=digest, **common)
    if forms[0] == "file":
        name = _path(message["file"])
        if given is None:
            try:
                paths.stat_inside(images_dir, name, MAX_IMAGE_BYTES)
            except paths.PathError as error:
                raise MessageError(error.reason, error.detail) from None
        odd = bool(_ODD.search(name))
        return Event(given or file_id(images_dir, [name]), [name], odd=odd, **common)
    names = message["files"]
    if not isinstance(names, list) or not names:
        raise MessageError("malformed", "files is not a list of paths")
    files = [_path(name) for name in names]
    odd = bool(_ODD.search("".join(files)))
    return Event(given or file_id(images_dir, files), files, manifest=True, odd=odd, **common)


def _decoded(payload: Payload) -> Record:
    """A name need not be UTF-8: its other bytes are kept, as Python keeps those of file names."""
    try:
        return decode(payload)
    except MessageError as error:
        if error.reason != "malformed" or not isinstance(payload, (bytes, bytearray)):
            raise
        text = payload.decode("utf-8", "surrogateescape")
        if not _SURROGATE.search(text):
            raise
    return decode(text)


def _inline(text: Any) -> tuple[bytes, str]:
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise MessageError("malformed", "image_b64 is not base64") from None
    kind = kind_of(content)
    if kind is None:
        raise MessageError("not_an_image", "image_b64 is neither JPEG, PNG, BMP nor WebP")
    return content, kind.suffix


def _content_id(digest: str) -> str:
    return "sha256:" + digest[:32]


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise MessageError("malformed", f"a path is {value!r:.80}, use text")
    if paths.path_bytes(value) > MAX_PATH_BYTES:
        raise MessageError("malformed", f"a path has more than {MAX_PATH_BYTES} bytes")
    if value.partition("/")[0] == OWN_FOLDER:
        raise MessageError("outside_volume", f"{value!r:.80}: {OWN_FOLDER} is Fanfold's own folder")
    if not value.isascii():
        _check_bytes(value)
    if "\0" in value:
        raise MessageError("malformed", f"a path has a NUL, no file has: {value!r:.80}")
    return value


def _check_bytes(name: str) -> None:
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        code = ord(name[error.start])
        raise MessageError(
            "malformed",
            f"a path has U+{code:04X}, which no file's name has: {name!r:.80}. A byte that is no "
            "UTF-8 is given as it is, or as \\udc80 to \\udcff (0xdc00 and the byte)",
        ) from None


def _job(message: dict[str, Any]) -> str | None:
    job = message.get("job")
    if job is None or (isinstance(job, str) and 0 < len(job) <= MAX_JOB_CHARS and _is_text(job)):
        return job
    raise MessageError(
        "malformed", f"job is {job!a:.80}, use 1 to {MAX_JOB_CHARS} characters of UTF-8"
    )


def _is_text(value: str) -> bool:
    """Lone surrogates, which JSON's escapes can make, are no text: neither journal nor record
    takes them."""
    return value.isascii() or not _SURROGATE.search(value)


def _flag(message: dict[str, Any], key: str) -> bool:
    value = message.get(key, False)
    if isinstance(value, bool):
        return value
    raise MessageError("malformed", f"{key} is {value!r:.40}, use true or false")


def _stamp(message: dict[str, Any]) -> Any:
    value = message.get("ts")
    short = isinstance(value, str) and len(value) <= 64 and _is_text(value)
    if value is None or short or (isinstance(value, (int, float)) and abs(value) < 1e18):
        return value
    raise MessageError("malformed", f"ts is {value!r:.40}, use a number or a short text")
