"""Two group documents → what an operator would say has changed.

Works on documents, so that what is deployed can be compared without its site file. Empty exactly
when the documents are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract.accelerators.cards import GpuId, parse_gpu_id
from contract.model_pin import PIN
from infra.planning.cores import CONSOLE

Document = Mapping[str, Any]
Leaves = dict[tuple[str, ...], str]
NONE = "none"

# Follow from workers, cameras, GPUs and the model, which are said on their own.
_DERIVED = {
    "FANFOLD_WORKERS",
    "FANFOLD_CAMERAS",
    "FANFOLD_WORKER",
    "FANFOLD_INFERENCE_WORKERS",
    "FANFOLD_TRANSFORM_WORKERS",
    "FANFOLD_GPU_IDS",
    "FANFOLD_ROLE",
    "GPU_ID",
    PIN,
}
_WORDS = {"MemorySize": "memory_kb", "Timeout": "timeout_s", "CertificateArn": "certificate"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: `workers 2 → 4`."""

    subject: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.subject} {self.before} → {self.after}"


def changes(before: Document | None, after: Document) -> list[Change]:
    """What deploying `after` changes about `before` (None: nothing is deployed).

    Any change at all restarts every function of the core: that is how V1 deploys.
    """
    old, new = before or {}, after
    said = list(_differing(_headlines(old), _headlines(new)))
    details = list(_details(old, new))
    if said or before is None:
        return said + [change for change in details if not _is_derived(change)]
    return details


def _is_derived(change: Change) -> bool:
    return change.subject.split()[-1] in _DERIVED


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for subject in dict.fromkeys((*old, *new)):
        was, now = old.get(subject, NONE), new.get(subject, NONE)
        if was != now:
            yield Change(subject, was, now)


def _headlines(document: Document) -> dict[str, str]:
    """What an operator asks first."""
    by_role: dict[str, list[Mapping[str, str]]] = {}
    for function in document.get("Functions", []):
        variables = _variables(function)
        by_role.setdefault(variables.get("FANFOLD_ROLE", ""), []).append(variables)
    workers = by_role.get("inference", []) + by_role.get("pool", [])
    pool = by_role["pool"][0]["FANFOLD_POOL_WORKERS"] if "pool" in by_role else ""
    found = {
        "strategy": _strategy(document, by_role) if workers else "",
        "workers": pool or (str(len(workers)) if workers else ""),
        "transforms": str(len(by_role.get("transform", []))) if "transform" in by_role else "",
        "GPU": _gpus(workers),
        "cameras": ",".join(_cameras(document)),
        "model": _model(document),
    }
    return {subject: value for subject, value in found.items() if value}


def _cameras(document: Document) -> Iterator[str]:
    """All devices but the operator's own."""
    return (each["Id"] for each in document.get("Devices", []) if each["Id"] != CONSOLE)


def _variables(function: Mapping[str, Any]) -> Mapping[str, str]:
    configuration: Mapping[str, Any] = function["FunctionConfiguration"]
    variables: Mapping[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables


def _strategy(document: Document, by_role: Mapping[str, Any]) -> str:
    if "pool" in by_role:
        return "pool"
    pinned = all(each["FunctionConfiguration"]["Pinned"] for each in document["Functions"])
    return ("decoupled" if "transform" in by_role else "pinned") if pinned else "on_demand"


def _gpus(workers: list[Mapping[str, str]]) -> str:
    named = [
        g for w in workers for g in (w.get("GPU_ID") or w.get("FANFOLD_GPU_IDS", "")).split(",")
    ]
    used = {parse_gpu_id(gpu) for gpu in named if gpu}
    return ",".join(str(gpu) for gpu in sorted(used, key=_place) if gpu.index >= 0)


def _place(gpu: GpuId) -> tuple[int, int]:
    return gpu.index, -1 if gpu.slice is None else gpu.slice


def _model(document: Document) -> str:
    for resource in document.get("Resources", []):
        data = resource["ResourceDataContainer"].get("S3MachineLearningModelResourceData")
        if data:
            return str(data["S3Uri"])
    return ""


def _details(old: Document, new: Document) -> Iterator[Change]:
    """Every leaf that differs; what came or went as a whole is one change."""
    was, now = _leaves(old), _leaves(new)
    members = {path[:2] for path in was} ^ {path[:2] for path in now}
    for section, name in sorted(members):
        there = (section, name) in {path[:2] for path in now}
        yield Change(f"{section} {name}", *((NONE, "added") if there else ("there", "removed")))
    groups: dict[tuple[str, str, str], list[str]] = {}
    for path in dict.fromkeys((*was, *now)):
        before, after = was.get(path, NONE), now.get(path, NONE)
        if path[:2] in members or before == after or "S3Uri" in path:
            continue
        what = _WORDS.get(path[-1], path[-1])
        groups.setdefault((what, before, after), []).append(path[1])
    for (what, before, after), names in groups.items():
        yield Change(f"{_joined(names)} {what}", before, after)


def _joined(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 2 else f"{names[0]}…{names[-1]}"


_SECTIONS = {
    "Functions": "function",
    "Devices": "device",
    "Resources": "resource",
    "Subscriptions": "subscription",
    "Loggers": "logger",
}


def _leaves(document: Document) -> Leaves:
    """Path → value, with the members of a section under their id."""
    found: Leaves = {}
    for key, value in document.items():
        if key in _SECTIONS:
            for member in value:
                found |= _flat((_SECTIONS[key], member["Id"]), member)
        elif key == "Lambdas":
            for member in value.values():
                found |= _flat(("code", member["FunctionName"]), member)
        else:
            found |= _flat(("group", key), value)
    return found


def _flat(path: tuple[str, ...], value: Any) -> Leaves:
    if isinstance(value, Mapping):
        inner: Leaves = {}
        for key, each in value.items():
            inner |= _flat((*path, str(key)), each)
        return inner
    if isinstance(value, list):
        return {path: ", ".join(_short(each) for each in value)}
    return {path: str(value)}


def _short(value: Any) -> str:
    """A resource policy as `model ro`, in whatever order an API gives its fields."""
    if not isinstance(value, Mapping):
        return str(value)
    return " ".join(str(value[key]) for key in sorted(value, reverse=True))
