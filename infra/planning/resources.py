"""Resources of the group, and which function gets which."""

from __future__ import annotations

from dataclasses import dataclass

from contract.camera_sources import device_file_of
from infra.planning.model import (
    DeviceNode,
    Isolation,
    ModelResource,
    Permission,
    Policy,
    Resource,
    Role,
    Volume,
)
from infra.planning.profile import Profile
from infra.planning.site import Site

MODEL_DIR = "/fanfold/model"
SHM_DIR = "/dev/shm"  # noqa: S108 - the one path below /dev that a volume may have

MPS_PIPES = "/tmp/nvidia-mps"  # noqa: S108 - NVIDIA's documented default


@dataclass(frozen=True, slots=True)
class Resources:
    """All resources of a site. Without containers only the model is one: paths are open."""

    site: Site
    profile: Profile
    isolation: Isolation

    def all(self) -> tuple[Resource, ...]:
        found: list[Resource] = []
        if self.site.model.s3_uri:
            owner = self.profile.group_owner if self.isolation == "none" else None
            found.append(
                ModelResource(
                    id="model",
                    s3_uri=self.site.model.s3_uri,
                    destination=MODEL_DIR,
                    group_owner=owner,
                )
            )
        if self.isolation == "none":
            return tuple(found)
        found.append(Volume(id="images", path=self.site.volumes.images))
        found.append(Volume(id="state", path=self.site.volumes.state))
        if self.site.strategy in {"decoupled", "pool"}:
            found.append(Volume(id="shm", path=SHM_DIR))
        if self._mps:
            found.append(Volume(id="mps", path=MPS_PIPES))
        files = [
            *self._usb,
            *self.profile.devices,
            *(f for gpu in self.profile.accelerators for f in gpu.devices),
        ]
        found += [DeviceNode(id=_device_id(path), path=path) for path in dict.fromkeys(files)]
        return tuple(found)

    def policies(self, role: Role, gpus: tuple[str, ...]) -> tuple[Policy, ...]:
        """What one function may use: its own GPUs' files only."""
        runs_model = role in {"inference", "pool"}
        model = self.site.model.s3_uri is not None and (runs_model or role == "transform")
        if self.isolation == "none":
            return (Policy("model", None),) if model else ()
        found = [Policy("model", "ro")] if model else []
        found += [Policy(*each) for each in self._volumes(role)]
        if runs_model:
            found += [Policy(_device_id(path), "rw") for path in self._device_files(gpus)]
        if role == "grabber":
            found += [Policy(_device_id(path), "rw") for path in self._usb]
        return tuple(found)

    @property
    def _usb(self) -> list[str]:
        """Device files of cameras."""
        files = (device_file_of(camera.source or "") for camera in self.site.sourced)
        return [path for path in files if path]

    def _volumes(self, role: Role) -> list[tuple[str, Permission]]:
        if role in {"splitter", "grabber"}:  # they write images
            return [("images", "rw"), ("state", "rw")]
        if role == "aggregator":
            return [("state", "rw")]
        found: list[tuple[str, Permission]] = []
        if role != "inference" or self.site.strategy != "decoupled":
            found.append(("images", "ro"))
        if self.site.strategy in {"decoupled", "pool"}:  # /dev/shm is refused as ro
            found.append(("shm", "rw"))
        if self._mps and role != "transform":
            found.append(("mps", "rw"))
        return found

    @property
    def _mps(self) -> bool:
        return self.site.mps and bool(self.profile.accelerators)

    def _device_files(self, gpus: tuple[str, ...]) -> list[str]:
        if not gpus:
            return []
        own = [f for gpu in self.profile.accelerators if gpu.id in gpus for f in gpu.devices]
        return list(dict.fromkeys([*own, *self.profile.devices]))


def _device_id(path: str) -> str:
    return path.strip("/").replace("/", "-").replace(".", "-")
