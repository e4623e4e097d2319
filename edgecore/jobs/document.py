"""The job document (docs/spec/jobs.md): from JSON to what is to be fetched and run. Pure."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
DEFAULT_TIMEOUT_S, MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1800, 60, 604_800
MAX_GROUP_BYTES = 1 << 20
LATEST_ISSUED_AT = 1e11
"""Milliseconds are above it: taken for seconds they would make every later job an older one."""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class JobRefused(Exception):  # noqa: N818
    """This core will never execute the document: one sentence for the job's ``reason``."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    what: str
    uri: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Code:
    arns: tuple[str, ...]
    artifact: Artifact


@dataclass(frozen=True, kw_only=True)
class CoreVersion:
    version: str
    artifact: Artifact


@dataclass(frozen=True, kw_only=True)
class JobDocument:
    """``model_resources`` empty: the model fills every machine-learning resource."""

    site: str
    issued_at: float
    group: Artifact
    timeout_s: int = DEFAULT_TIMEOUT_S
    code: tuple[Code, ...] = ()
    model: Artifact | None = None
    model_resources: tuple[str, ...] = ()
    core: CoreVersion | None = None
    per_thing: bool = False

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        found = [self.group, *(code.artifact for code in self.code)]
        return tuple(found + ([self.model] if self.model else []))

    @property
    def all_artifacts(self) -> tuple[Artifact, ...]:
        """With the core's, for what must fit on the disk."""
        return self.artifacts + ((self.core.artifact,) if self.core else ())


def parse(content: object, *, site: str) -> JobDocument:
    """``site``: the one that this core was provisioned for; empty: any. Raises JobRefused."""
    if not isinstance(content, Mapping) or "v" not in content:
        raise JobRefused("the job's document is none of Fanfold's (no field v): keep things that "
            "others send jobs to out of this target")  # fmt: skip
    if content["v"] != VERSION:
        raise JobRefused(f"job document version {content['v']!r}: this core executes version "
            f"{VERSION}; update the core first")  # fmt: skip
    named = _text(content, "site")
    if site and named != site:
        raise JobRefused(f"the job is for site {named!r}, this core belongs to {site!r}")
    timeout_s: Any = content.get("timeout_s", DEFAULT_TIMEOUT_S)
    if not (issued := issued_at(content)) > 0:
        raise JobRefused(f"issued_at is {content.get('issued_at')!r:.40}; give epoch seconds")
    if not _is_number(timeout_s) or not MIN_TIMEOUT_S <= timeout_s <= MAX_TIMEOUT_S:
        raise JobRefused(f"timeout_s is {timeout_s!r}; give {MIN_TIMEOUT_S} to {MAX_TIMEOUT_S}")
    model = content.get("model")
    return JobDocument(
        site=named,
        issued_at=issued,
        timeout_s=int(timeout_s),
        group=_artifact(content.get("group"), "group"),
        code=tuple(_code(entry, n) for n, entry in enumerate(_list(content, "code"))),
        model=_artifact(model, "model") if model else None,
        model_resources=tuple(map(str, _list(model, "resources"))) if model else (),
        core=_core(content.get("core")),
        per_thing=content.get("per_thing") is True,
    )


def issued_at(content: Mapping[str, Any]) -> float:
    """0 where the document does not say it."""
    value: Any = content.get("issued_at")
    return float(value) if _is_number(value) and abs(value) < LATEST_ISSUED_AT else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise JobRefused(f"{key} is {value!r}; give a text")
    return value


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key) or []
    if not isinstance(value, list):
        raise JobRefused(f"{key} is no list")
    return value


def _artifact(entry: Any, what: str) -> Artifact:
    if not isinstance(entry, Mapping):
        raise JobRefused(f"{what} is missing; give uri, sha256 and size")
    uri, sha256, size = entry.get("uri"), entry.get("sha256"), entry.get("size")
    if not isinstance(uri, str) or not uri.startswith(("https://", "s3://", "http://")):
        raise JobRefused(f"{what}.uri is {uri!r}; give an https:// or s3:// address")
    try:
        urllib.parse.urlsplit(uri)
    except ValueError as error:
        raise JobRefused(f"{what}.uri is {uri!r:.200}: {error}") from error
    if not isinstance(sha256, str) or not _SHA256.match(sha256):
        raise JobRefused(f"{what}.sha256 is {sha256!r}; give 64 lower-case hex digits")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise JobRefused(f"{what}.size is {size!r}; give bytes")
    if what == "group" and size is not None and size > MAX_GROUP_BYTES:
        raise JobRefused(f"group.size is {size} bytes (limit {MAX_GROUP_BYTES})")
    return Artifact(what=what, uri=uri, sha256=sha256, size=size)


def _code(entry: Any, number: int) -> Code:
    artifact = _artifact(entry, f"code[{number}]")
    arns = entry.get("arns") or [entry.get("arn")]
    if not isinstance(arns, list) or not all(isinstance(a, str) and a for a in arns):
        raise JobRefused(f"code[{number}].arns is {arns!r}; give the functions' ARNs")
    return Code(arns=tuple(arns), artifact=artifact)


def _core(entry: Any) -> CoreVersion | None:
    if not entry:
        return None
    artifact = _artifact(entry, "core")
    return CoreVersion(version=_text(entry, "version"), artifact=artifact)
