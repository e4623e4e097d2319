"""Ports, disk, memory, limits, clock, cgroups."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import time
from pathlib import Path

from fanfold.checks.outcome import Outcome, Subject, error, ok, skipped, warning
from fanfold.common.project import state_dir
from fanfold.localcore.running import all_running

DISK_AT_LEAST = 2 << 30
FILES_AT_LEAST = 1024
#: The build's own year: a clock before it was never set (devices without a battery say 1970).
CLOCK_AT_LEAST = 1_795_000_000
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the device's shared memory, not a temporary file


def _port(port: int, name: str, what: str) -> Outcome:
    """Free, or taken by a core of ours."""
    for core in all_running():
        if core.port(name) == port:
            return ok(f"port {port} ({what}) is the running core's ({core.state.name})")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return warning(
                f"port {port} ({what}) is taken", f"Use another port: fanfold run --{what}-port N."
            )
    return ok(f"port {port} ({what}) is free")


def port_ipc(_: Subject) -> Outcome:
    """What the SDK talks to."""
    return _port(8000, "ipc", "ipc")


def port_mqtt_plain(_: Subject) -> Outcome:
    """The loopback broker."""
    return _port(1883, "mqtt_plain", "mqtt-plain")


def port_mqtt(_: Subject) -> Outcome:
    """The broker for devices."""
    return _port(8883, "mqtt", "mqtt")


def port_http(_: Subject) -> Outcome:
    """Dashboard, metrics, status."""
    return _port(8080, "http", "http")


def disk_state(subject: Subject) -> Outcome:
    """Journals, spool, models, logs."""
    return _disk(subject.state or state_dir(), "state")


def disk_images(subject: Subject) -> Outcome:
    """The images volume."""
    if subject.plan is None:
        return skipped("images volume: pass a site to check it")
    return _disk(Path(subject.plan.site.volumes.images), "images")


def _disk(path: Path, what: str) -> Outcome:
    there = path.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    said = f"{what} ({path}): {free / 2**30:.1f} GiB free"
    if free < DISK_AT_LEAST:
        return error(said, "Free at least 2 GiB, or configure another folder.")
    return ok(said)


def open_files(_: Subject) -> Outcome:
    """Every camera and function costs some."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_AT_LEAST:
        return warning(f"open files: {soft} at most", f"ulimit -n {FILES_AT_LEAST} before `run`.")
    return ok(f"open files: {soft} at most")


def memory(subject: Subject) -> Outcome:
    """What the plan needs against what is free now."""
    free_kb = _meminfo("MemAvailable")
    if subject.plan is None:
        return ok(f"memory: {free_kb // 1024} MB available")
    needed_kb = sum(function.memory_kb for function in subject.plan.functions)
    said = f"memory: the plan needs {needed_kb // 1024} MB, {free_kb // 1024} MB available"
    if needed_kb > free_kb:
        return warning(said, "Use fewer workers (`workers` in the site), or stop something.")
    return ok(said)


def clock(_: Subject) -> Outcome:
    """Order never depends on it; certificates and time stamps do."""
    if time.time() < CLOCK_AT_LEAST:
        return error(f"the clock shows {time.strftime('%Y-%m-%d')}", "Set the clock, or start NTP.")
    synchronized = Path("/run/systemd/timesync/synchronized").exists()
    return ok("clock is plausible" + (" and synchronized" if synchronized else ""))


def cgroups(_: Subject) -> Outcome:
    """Memory limits of containers."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return ok("cgroup v2 (AWS's own V1 core would need v1; this one does not)")
    if Path("/sys/fs/cgroup/memory").is_dir():
        return ok("cgroup v1 with memory")
    return warning("no memory cgroup: limits are watched instead", "Mount cgroups.")


def shared_memory(subject: Subject) -> Outcome:
    """Tensors of the decoupled strategy pass through it."""
    try:
        facts = os.statvfs(SHARED_MEMORY)
    except OSError:
        return warning(f"{SHARED_MEMORY} does not exist", "Mount a tmpfs; `decoupled` needs it.")
    free_mib = facts.f_frsize * facts.f_bavail >> 20
    said = f"{SHARED_MEMORY}: {free_mib} MiB free"
    needed_mib = -(-subject.plan.rings_kb // 1024) if subject.plan else 0
    if needed_mib:
        said += f", the plan's transforms need {needed_mib} MiB"
    if free_mib < needed_mib:
        return error(said, f"mount -o remount,size={2 * needed_mib}m {SHARED_MEMORY}")
    return ok(said)


def _meminfo(key: str) -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0


MACHINE = (
    port_ipc,
    port_mqtt_plain,
    port_mqtt,
    port_http,
    disk_state,
    disk_images,
    open_files,
    memory,
    clock,
    cgroups,
    shared_memory,
)
