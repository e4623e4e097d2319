"""What the grabber is told by its environment, and the secrets that lie beside its state."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Mapping

from contract.camera_sources import (
    DEFAULT_FPS,
    DEFAULT_FROZEN_S,
    MAX_FPS,
    filled,
    problems_of_source,
)
from contract.topics import is_name
from lambdas.common.settings import Common, common
from lambdas.common.variables import Reader
from lambdas.grabber.errors import CameraError

SHORTEST_STALL_S = 5.0
MAX_SECRET_BYTES = 4_096


@dataclass(frozen=True)
class Source:
    """One camera. `frozen_s` 0: never looked for; `stall_s`: without a frame, opened again."""

    name: str
    source: str
    fps: float
    frozen_s: float
    stall_s: float


@dataclass(frozen=True)
class GrabberSettings(Common):
    images_topic: str
    stats_topic: str
    sources: tuple[Source, ...]

    @property
    def secrets_dir(self) -> str:
        return os.path.join(self.own_state_dir, "secrets")

    def address(self, source: Source) -> str:
        """With its secrets in it. Raises `CameraError` for one that is not there."""
        return filled(source.source, self._secret)

    def _secret(self, name: str) -> str:
        path = os.path.join(self.secrets_dir, name)
        try:
            with open(path, encoding="utf-8") as file:
                secret = file.read(MAX_SECRET_BYTES).strip()
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8"
            raise CameraError("no_secret", f"secret {name}: {path}: {why}") from None
        if not secret:
            raise CameraError("no_secret", f"secret {name}: {path} is empty")
        return secret


def grabber_settings(env: Mapping[str, str] = os.environ) -> GrabberSettings:
    """Read the grabber's settings; raises `SettingsError` with every problem."""
    read = Reader(env)
    settings = GrabberSettings(
        images_topic=read.prefix("FANFOLD_IMAGES_TOPIC"),
        stats_topic=read.topic("FANFOLD_STATS_TOPIC", ""),
        sources=_sources(read),
        **common(read, "grabber"),
    )
    read.finish()
    return settings


def _sources(read: Reader) -> tuple[Source, ...]:
    text = read.text("FANFOLD_SOURCES")
    try:
        given = json.loads(text) if text else []
        found = [_source(each, read) for each in given]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        read.problems.append(f"FANFOLD_SOURCES is not a list of cameras: {error!r:.200}")
        return ()
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        read.problems.append("FANFOLD_SOURCES names a camera twice")
    return tuple(found)


def _source(given: dict[str, Any], read: Reader) -> Source:
    fps = float(given.get("fps", DEFAULT_FPS))
    source = Source(
        name=str(given["name"]),
        source=str(given["source"]),
        fps=fps,
        frozen_s=float(given.get("frozen_s", DEFAULT_FROZEN_S)),
        stall_s=float(given.get("stall_s") or max(SHORTEST_STALL_S, SHORTEST_STALL_S / (fps or 1))),
    )
    if not is_name(source.name):
        read.problems.append(f"FANFOLD_SOURCES: {source.name!r} is no camera's name")
    if not 0 < fps <= MAX_FPS:
        read.problems.append(f"FANFOLD_SOURCES: {source.name}: fps {fps:g}: above 0, to {MAX_FPS}")
    for problem in problems_of_source(source.source):
        read.problems.append(f"FANFOLD_SOURCES: {source.name}: {problem}")
    return source
