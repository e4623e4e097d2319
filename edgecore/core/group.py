"""The nouns of a Greengrass V1 group, as the core sees them once everything is fetched.

Frozen data, no IO. Sources (template, API, on-device ``group.json``) build these;
router, supervisor and MQTT endpoint read them. Fields follow the V1 API
(``CreateFunctionDefinitionVersion`` and friends) with units in the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CLOUD = "cloud"
SHADOW_SERVICE = "GGShadowService"

Isolation = Literal["GreengrassContainer", "NoContainer"]
Permission = Literal["ro", "rw"]


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A core or a device: who it is and the certificate it must show."""

    id: str
    thing_name: str
    thing_arn: str
    certificate_arn: str
    sync_shadow: bool = False
    certificate_pem: str | None = None

    @property
    def certificate_id(self) -> str:
        """AWS IoT's certificate id: the SHA-256 of the DER form, lower-case hex."""
        return self.certificate_arn.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class ResourceAccess:
    """One entry of a function's ``ResourceAccessPolicies``."""

    resource_id: str
    permission: Permission | None = None


@dataclass(frozen=True, kw_only=True)
class Function:
    """A user or system function; ``code`` is a folder here, None for system functions."""

    id: str
    arn: str
    pinned: bool = False
    memory_kb: int | None = None
    timeout_s: int = 3
    encoding: Literal["json", "binary"] = "json"
    environment: Mapping[str, str] = field(default_factory=dict)
    access_sysfs: bool = False
    isolation: Isolation = "GreengrassContainer"
    run_as_uid: int | None = None
    run_as_gid: int | None = None
    access: tuple[ResourceAccess, ...] = ()
    executable: str | None = None
    exec_args: str | None = None
    runtime: str | None = None
    handler: str | None = None
    code: Path | None = None
    code_sha256: str | None = None
    lacks: str | None = None
    """What it cannot be started without, code or a model, and why that is not here."""

    @property
    def is_system(self) -> bool:
        """System functions have an ARN with neither region nor account, e.g. GGIPDetector."""
        return self.arn.startswith("arn:aws:lambda:::function:")


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """``source`` publishes on ``subject`` (a filter); ``target`` receives. One-way."""

    id: str
    source: str
    subject: str
    target: str


@dataclass(frozen=True, kw_only=True)
class LocalVolume:
    """``owner_group``: the Linux group that owns it is added to who uses it (V1's
    ``AutoAddGroupOwner``); ``group_owner``: so is this one."""

    id: str
    name: str
    source_path: str
    destination_path: str
    owner_group: bool = False
    group_owner: str | None = None


@dataclass(frozen=True, kw_only=True)
class LocalDevice:
    """Groups as of a volume."""

    id: str
    name: str
    source_path: str
    owner_group: bool = False
    group_owner: str | None = None


@dataclass(frozen=True, kw_only=True)
class MachineLearningModel:
    """An S3 or SageMaker model; ``path`` is the unpacked folder once it has been fetched."""

    id: str
    name: str
    s3_uri: str
    destination_path: str
    owner_gid: str | None = None
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class SecretResource:
    """A secret of AWS Secrets Manager; ``stages``: labels wanted beside AWSCURRENT."""

    id: str
    name: str
    arn: str
    stages: tuple[str, ...] = ()


Resource = LocalVolume | LocalDevice | MachineLearningModel


@dataclass(frozen=True, kw_only=True)
class Logger:
    id: str
    component: Literal["GreengrassSystem", "Lambda"]
    type: Literal["FileSystem", "AWSCloudWatch"]
    level: str
    space_kb: int | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """A whole deployable group; exactly one core."""

    name: str
    id: str
    version: str
    region: str
    core: Thing
    devices: tuple[Thing, ...] = ()
    functions: tuple[Function, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    resources: tuple[Resource, ...] = ()
    secrets: tuple[SecretResource, ...] = ()
    loggers: tuple[Logger, ...] = ()

    @property
    def lambdas(self) -> tuple[Function, ...]:
        """The functions that run as processes: all but the system functions."""
        return tuple(f for f in self.functions if not f.is_system)

    @property
    def site_environment(self) -> dict[str, str]:
        """Settings of the site that the core itself follows come with its functions' variables."""
        merged: dict[str, str] = {}
        for function in self.lambdas:
            if "FANFOLD_SITE" in function.environment:
                merged.update(function.environment)
        return merged
