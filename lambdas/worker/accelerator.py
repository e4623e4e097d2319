"""The card that a worker's network runs on: chosen before a runtime opens CUDA, and compared with
what CUDA gave once the network is loaded."""

from __future__ import annotations

import os
from typing import MutableMapping, NamedTuple

from contract.accelerators.cards import AcceleratorError, GpuId, Inventory
from contract.accelerators.choosing import UUID_VARIABLE, VISIBLE, Choice, choose, problem
from contract.accelerators.cuda import DriverError, device
from contract.accelerators.looking import look
from contract.messages import Record
from lambdas.common.log import get_logger
from lambdas.model.errors import ModelError
from lambdas.model.package import Package
from lambdas.model.runtimes.base import Runtime

#: Those that count NVIDIA's cards. OpenVINO counts Intel's, a simulation none.
_ON_CUDA = frozenset(("mxnet", "onnxruntime", "pytorch"))

_log = get_logger("worker")


class Claim(NamedTuple):
    """`choice` None: no NVIDIA card is meant, and `ordinal` is what the runtime counts in."""

    gpu_id: GpuId
    ordinal: int
    choice: Choice | None = None


def claim(
    gpu_id: GpuId,
    package: Package,
    env: MutableMapping[str, str] = os.environ,
    inventory: Inventory | None = None,
) -> Claim:
    """Leave this process the one card that `GPU_ID` means, by its UUID. Raises `ModelError`.

    A core of ours has named it already (`FANFOLD_GPU_UUID`), and another core has not.
    """
    if gpu_id.index < 0:
        return Claim(gpu_id, -1)
    if not _counts_nvidia(package):
        return Claim(gpu_id, gpu_id.index)
    found = look() if inventory is None else inventory
    try:
        choice = choose(gpu_id, found.cards, env.get(UUID_VARIABLE, ""), env.get(VISIBLE))
    except AcceleratorError as error:
        raise ModelError("; ".join([str(error), *found.remarks])) from None
    for remark in found.remarks:
        _log.warning("%s", remark)
    env.update(choice.environment)
    return Claim(gpu_id, choice.ordinal, choice)


def confirmed(claimed: Claim, runtime: Runtime) -> list[Record]:
    """What the worker tells of its card (docs/spec/messages.md); none on the CPU.

    Raises `ModelError` where CUDA gave another card than the one that was claimed.
    """
    if claimed.gpu_id.index < 0:
        return []
    told: Record = {"kind": "gpu", "gpu_id": str(claimed.gpu_id), **runtime.identity}
    if claimed.choice is None:
        return [told]
    try:
        given = device(claimed.ordinal)
    except DriverError as error:
        raise ModelError(f"GPU_ID={claimed.gpu_id}: CUDA's driver fails: {error}") from None
    if given is None:  # a runtime for another vendor's cards, under CUDA's name
        return [{**told, "verified": False}]
    wrong = problem(claimed.choice, given.uuid, given.pci, given.count)
    if wrong:
        raise ModelError(wrong)
    uuid = claimed.choice.uuid or given.uuid
    return [{**told, "uuid": uuid, "pci": given.pci, "name": given.name, "verified": True}]


def _counts_nvidia(package: Package) -> bool:
    spec = package.spec
    return spec.runtime in _ON_CUDA or (
        spec.runtime == "simulated" and spec.simulation.get("driver") is True
    )
