"""A hardware profile: one YAML file per device model in `device_profiles/`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from contract.accelerators.cards import GpuId
from contract.limits import CONTAINERS
from infra.planning.fields import Count, DeviceFile, PositiveInt, Record

Uuid = Annotated[str, Field(pattern=r"^(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Accelerator:
    """What one copy of a model computes on beside the CPU: a card, or a slice of one.

    What plans with one reads these fields only, so another kind (an NPU) is another list of the
    profile that makes these.
    """

    index: int
    model: str
    memory_mb: int
    shares_memory: bool = False
    devices: tuple[str, ...] = ()
    uuid: str = ""
    slice: int | None = None
    kind: str = "GPU"

    @property
    def id(self) -> str:
        """Value of GPU_ID: `1`, or `1:2` for slice 2 of card 1."""
        return str(GpuId(self.index, self.slice))

    @property
    def name(self) -> str:
        return f"{self.kind} {self.id}"


class MigSlice(Record):
    """A part of a card in MIG mode."""

    uuid: Uuid = Field(description="As `nvidia-smi -L` prints it: new when the slice is made anew.")
    memory_mb: PositiveInt = Field(description="Memory of the slice, megabytes.")
    model: str = Field(default="MIG slice", description="As the driver names it.")
    devices: tuple[DeviceFile, ...] = Field(
        default=(), description="Device files of this slice alone, below /dev/nvidia-caps."
    )


class Gpu(Record):
    """One card."""

    index: Annotated[int, Field(ge=0, le=255)] = Field(
        description="Value of GPU_ID: the card's number on its host, as nvidia-smi prints it. "
        "Not N of /dev/nvidiaN, and not what CUDA counts in a container."
    )
    model: str = Field(description="As the driver names it.")
    memory_mb: PositiveInt = Field(description="Memory of the GPU, megabytes.")
    shares_memory: bool = Field(
        default=False, description="true: the memory is part of the device's (Jetson)."
    )
    devices: tuple[DeviceFile, ...] = Field(
        default=(), description="Device files of this GPU alone, e.g. /dev/nvidia0."
    )
    uuid: Uuid | None = Field(
        default=None,
        description="Of this very card: a worker is given it whatever its index is by then, and "
        "nothing else. Leave it out of a profile for many machines.",
    )
    pci: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$",
        description="PCI address, e.g. 0000:3b:00.0. For people.",
    )
    mig: tuple[MigSlice, ...] = Field(
        default=(), description="Slices, where the card is in MIG mode: copies are dealt to these."
    )

    def accelerators(self) -> tuple[Accelerator, ...]:
        """The card, or its slices."""
        whole = Accelerator(
            index=self.index,
            model=self.model,
            memory_mb=self.memory_mb,
            shares_memory=self.shares_memory,
            devices=self.devices,
            uuid=self.uuid or "",
        )
        if not self.mig:
            return (whole,)
        return tuple(
            replace(
                whole,
                slice=place,
                model=f"{self.model} {part.model}",
                memory_mb=part.memory_mb,
                uuid=part.uuid,
                devices=(*self.devices, *part.devices),
            )
            for place, part in enumerate(self.mig)
        )


class Containers(Record):
    """What the device can do about isolation."""

    supported: bool = Field(
        default=True,
        description="false: no cgroup v1 (memory, devices) or no overlayfs; functions then "
        "run as NoContainer.",
    )
    limit: Count = Field(
        default=CONTAINERS.value, description="Concurrent containers that the core allows."
    )


class Reserved(Record):
    """Kept for the operating system, the core, the splitter and the aggregator."""

    cores: Annotated[int, Field(ge=0)] = Field(default=1, description="CPU cores kept free.")
    memory_mb: Annotated[int, Field(ge=0)] = Field(
        default=512, description="Main memory kept free, megabytes."
    )
    gpu_memory_mb: Annotated[int, Field(ge=0)] = Field(
        default=256, description="Memory kept free on each GPU (driver, display), megabytes."
    )


class Profile(Record):
    """Hardware of one device model."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{0,60}$", description="Same as the file's name without .yaml."
    )
    description: str = Field(default="", description="For people.")
    architecture: Literal["x86_64", "aarch64", "armv7l"] = Field(
        description="As `uname -m` prints it."
    )
    cpu_cores: Count = Field(description="Logical CPUs, as `nproc` prints them.")
    memory_mb: PositiveInt = Field(description="Main memory, megabytes.")
    shared_memory_mb: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Size of /dev/shm, megabytes, if it is not Linux's default (half of the "
        "main memory); 0: there is none.",
    )
    gpus: tuple[Gpu, ...] = Field(default=(), description="Accelerators; none on a CPU device.")
    devices: tuple[DeviceFile, ...] = Field(
        default=(), description="Device files that every GPU needs, e.g. /dev/nvidiactl."
    )
    environment: dict[str, str] = Field(
        default={},
        description="Variables of every model function, e.g. LD_LIBRARY_PATH: a container sees "
        "the host's libraries but not its environment.",
    )
    runtime: Literal["python3.8"] = Field(
        default="python3.8", description="Newest runtime of a V1 core."
    )
    containers: Containers = Field(default=Containers(), description="Isolation on this device.")
    reserved: Reserved = Field(default=Reserved(), description="Kept free for other uses.")
    group_owner: str = Field(
        default="ggc_group",
        description="Linux group (name or id) that may read the model without a container.",
    )

    def contradictions(self) -> list[str]:
        found = []
        indexes = [gpu.index for gpu in self.gpus]
        if len(set(indexes)) != len(indexes):
            found.append(f"gpus: index given twice in {indexes}; use each index once")
        uuids = [each.uuid for each in self.accelerators if each.uuid]
        if len(set(uuids)) != len(uuids):
            found.append(f"gpus: uuid given twice in {uuids}; each card has its own")
        if self.reserved.cores >= self.cpu_cores:
            found.append(
                f"reserved.cores: {self.reserved.cores} of {self.cpu_cores} cpu_cores leaves none "
                f"for the model; allowed: 0 to {self.cpu_cores - 1}"
            )
        if self.reserved.memory_mb >= self.memory_mb:
            found.append(
                f"reserved.memory_mb: {self.reserved.memory_mb} of {self.memory_mb} memory_mb "
                f"leaves none for the model; allowed: 0 to {self.memory_mb - 1}"
            )
        return found

    @property
    def accelerators(self) -> tuple[Accelerator, ...]:
        """All devices that copies of the model are dealt to."""
        return tuple(each for gpu in self.gpus for each in gpu.accelerators())

    @property
    def usable_cores(self) -> int:
        return self.cpu_cores - self.reserved.cores

    @property
    def usable_memory_kb(self) -> int:
        return (self.memory_mb - self.reserved.memory_mb) * 1024
