"""Target v2: what the Greengrass V2 components are made of, and what runs beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from contract.pythons import CORE_PYTHONS
from infra.planning.fields import Record

RUNTIME_NAME = re.compile(
    r"fanfold-runtime-(?P<version>[A-Za-z0-9.]+)-(?P<arch>x86_64|aarch64)"
    r"-py(?P<python>3\.\d{1,2})-(?P<engine>[a-z]+)\.zip"
)
RUNTIME_WORDS = (
    "fanfold-runtime-VERSION-ARCH-pyX.Y-ENGINE.zip, as `fanfold bundle --runtime-zip` names it"
)
Port = Annotated[int, Field(ge=0, le=65_535)]


@dataclass(frozen=True)
class RuntimeFile:
    """One entry of `components.runtimes`: where it lies, and what its name says."""

    source: str
    arch: str
    python: str

    @classmethod
    def of(cls, source: str) -> RuntimeFile | None:
        """None where the name is not one of `RUNTIME_NAME`'s."""
        found = RUNTIME_NAME.fullmatch(source.rpartition("/")[2])
        return cls(source, found["arch"], found["python"]) if found else None


class Ports(Record):
    """Ports of the core; 0 is any free one, null is off."""

    ipc: Port = Field(default=8000, description="Of the functions' own API, on loopback.")
    mqtt: Port | None = Field(default=8883, description="Of the cameras' MQTT over TLS.")
    mqtt_plain: Port | None = Field(default=None, description="MQTT without TLS, on loopback.")
    http: Port | None = Field(default=8080, description="Of the page and the API, on loopback.")

    def contradictions(self) -> list[str]:
        found: dict[int, str] = {}
        said = []
        for name, port in self.model_dump().items():
            if port and port in found:
                said.append(f"{name}: {port} is {found[port]}'s already; each listens on its own")
            elif port:
                found[port] = name
        return said


class Beside(Record):
    """A component of somebody else's that the same deployment keeps on the device."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+[A-Za-z0-9.+-]*$")] = Field(
        description="Exact: a floating version may restart the device (AWS's guide)."
    )
    merge: dict[str, Any] = Field(default={}, description="configurationUpdate.merge, as a map.")
    reset: tuple[Annotated[str, Field(pattern=r"^(/.*)?$")], ...] = Field(
        default=(), description='configurationUpdate.reset: JSON pointers; "" is all of it.'
    )


class Components(Record):
    """What target v2 needs beside the group."""

    runtimes: tuple[str, ...] = Field(
        default=(),
        description="Runtime archives, one per architecture: files, or s3:// URIs "
        "(`fanfold bundle --runtime-zip`).",
    )
    nucleus: Literal["any", "java"] = Field(
        default="any", description="any: the limits of nucleus lite too; java: the Java nucleus's."
    )
    generation: Annotated[int, Field(ge=1, le=99_999)] = Field(
        default=1,
        description="First number of every component version. Raise it to deploy a content that "
        "was deployed before: its version exists, and AWS makes none twice.",
    )
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$")] | None = Field(
        default=None, description="USER:GROUP of the components; absent: the nucleus's own."
    )
    uplink: Literal["iot", "local"] = Field(
        default="iot",
        description="iot: results by the token exchange service's credentials; local: files.",
    )
    ports: Ports = Field(default=Ports(), description="Of the core.")
    beside: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")], Beside] = Field(
        default={},
        description="Other components of the same device: a deployment uninstalls what it does "
        "not name.",
    )

    def contradictions(self) -> list[str]:
        found = [
            f"runtimes: {name} is not named {RUNTIME_WORDS}"
            for name in self.runtimes
            if RuntimeFile.of(name) is None
        ]
        known = [each for name in self.runtimes if (each := RuntimeFile.of(name))]
        found += [
            f"runtimes: {each.source} is for Python {each.python}; the core runs on "
            f"{CORE_PYTHONS[0]} to {CORE_PYTHONS[-1]}"
            for each in known
            if each.python not in CORE_PYTHONS
        ]
        archs = [each.arch for each in known]
        twice = sorted({arch for arch in archs if archs.count(arch) > 1})
        return [*found, *(f"runtimes: {arch} given twice; a recipe has one each" for arch in twice)]
