"""The nouns of a plan: what will be in the group, in our units and before AWS's spelling.

Frozen and comparable; `document.py` alone turns them into the Greengrass API's shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.planning.fields import Footprint
from infra.planning.profile import Profile
from infra.planning.site import Site

Isolation = Literal["container", "none"]
Role = Literal["splitter", "transform", "inference", "pool", "aggregator", "grabber"]
Permission = Literal["ro", "rw"]
CLOUD = "cloud"
CPU = -1  # GPU_ID of a worker without one


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a number of the plan is what it is: `w0.memory_kb = 543572, because …`."""

    subject: str
    value: str
    why: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """The core, a camera or the console."""

    id: str
    name: str
    arn: str
    certificate_arn: str
    provisioned: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """One resource that a function may use. `permission` None: governed by the resource."""

    resource: str
    permission: Permission | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One of our Lambda functions on the device.

    `memory_kb` is planned for either isolation; the group carries it for containers only.
    `processes` is how many copies of the model the function runs. `shared_kb` of its memory
    are other functions' (the rings of strategy decoupled), and counted there.
    """

    id: str
    role: Role
    name: str
    arn: str
    handler: str
    pinned: bool
    encoding: Literal["json", "binary"]
    timeout_s: int
    memory_kb: int
    environment: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    sysfs: bool = False
    gpus: tuple[str, ...] = ()
    processes: int = 1
    threads: int = 1
    shared_kb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFunction:
    """A function that Greengrass brings: no code, no isolation of its own."""

    id: str
    arn: str
    executable: str | None
    memory_kb: int
    timeout_s: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResource:
    """The model package, unpacked at `destination` at deployment."""

    id: str
    s3_uri: str
    destination: str
    group_owner: str | None  # None: containers only, the policy's permission rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder of the device, at the same path inside a container."""

    id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device file."""

    id: str
    path: str


Resource = ModelResource | Volume | DeviceNode


@dataclass(frozen=True, slots=True)
class Subscription:
    """One way from source to target. Both are ARNs, or `cloud`."""

    id: str
    source: str
    subject: str
    target: str


@dataclass(frozen=True, slots=True)
class Logger:
    id: str
    component: Literal["GreengrassSystem", "Lambda"]
    type: Literal["FileSystem", "AWSCloudWatch"]
    level: str
    space_kb: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a group will hold, and why."""

    site: Site
    profile: Profile
    footprint: Footprint | None
    isolation: Isolation
    core: Thing
    devices: tuple[Thing, ...]
    functions: tuple[Function, ...]
    system_functions: tuple[SystemFunction, ...]
    resources: tuple[Resource, ...]
    subscriptions: tuple[Subscription, ...]
    loggers: tuple[Logger, ...]
    reasons: tuple[Reason, ...]

    def by_role(self, *roles: Role) -> tuple[Function, ...]:
        return tuple(function for function in self.functions if function.role in roles)

    @property
    def workers(self) -> tuple[Function, ...]:
        """The functions that run the model."""
        return self.by_role("inference", "pool")

    @property
    def fed(self) -> tuple[Function, ...]:
        """The functions that the splitter dispatches to."""
        return self.by_role("transform") or self.workers

    @property
    def copies(self) -> int:
        """Copies of the model that run at once."""
        return sum(worker.processes for worker in self.workers)

    @property
    def rings_kb(self) -> int:
        """Shared memory that strategy decoupled takes; 0 elsewhere."""
        return max((worker.shared_kb for worker in self.workers), default=0)
